// Whether a tenant's own limits against misuse let a message through: where it goes, how fast, and what it costs.

import type { TenantDocument } from "../adapters/mongo/models.ts";
import {
	type AbuseVerdict,
	type Charge,
	chargeOf,
	countersOf,
	countsCost,
	endsInMs,
	isDestination,
	isExempt,
	refusedBy,
	velocityDefault,
} from "../domain/abuse.ts";
import { LetheError } from "../domain/errors.ts";
import type { ApiDeps } from "./deps.ts";

export type AbuseDeps = Pick<ApiDeps, "clock"> & {
	sendQueues: Pick<ApiDeps["sendQueues"], "countRange">;
	store: { spending: Pick<ApiDeps["store"]["spending"], "giveBack" | "read" | "take"> };
};

/** A message that is about to be accepted; `price` is that of a segment on the send queue that it takes. */
export type Asked = { country: string; range: string; segments: number; price: number | undefined };

/** `noted`: checks that it would not have passed, had they not only watched. */
export type Passed = { noted: AbuseVerdict[]; charge?: Charge };

/**
 * Destinations are what a tenant allows and nothing else. Speed is counted in Redis, where losing a count opens the door
 * for a moment only; money is counted in the store, exactly: without it nothing passes.
 */
export function createAbuse(deps: AbuseDeps) {
	function judgeDestination(tenant: TenantDocument, country: string): AbuseVerdict {
		const check = { check: "destination", country } as const;
		if (isDestination(tenant, country)) return { ...check, verdict: "passed" };
		return { ...check, verdict: "refused", reason: "DESTINATION_NOT_ALLOWED" };
	}

	async function judgeVelocity(tenant: TenantDocument, { country, range }: Asked, counts: boolean) {
		const limit = tenant.velocity ?? velocityDefault;
		const { windowSeconds, messagesMax, mode } = limit;
		const mayPass = mode === "monitor" || isExempt(limit, range, deps.clock());
		const takes = !counts ? "never" : mayPass ? "always" : "within";
		const of = { tenantId: tenant._id, prefix: range, windowSeconds, messagesMax };
		const { within, seen } = await deps.sendQueues.countRange(of, takes);
		const verdict: AbuseVerdict = {
			...{ check: "velocity", country, verdict: within ? "passed" : mayPass ? "noted" : "refused" },
			...(within ? {} : { reason: "PREFIX_VELOCITY" }),
			...{ windowSeconds, limit: messagesMax, seen },
		};
		return verdict;
	}

	/** What a message takes of the budgets, and the verdict where they can't say yes without looking. */
	function chargeTo(tenant: TenantDocument, asked: Asked): { charge: Charge; verdict?: AbuseVerdict } | undefined {
		const { country, price } = asked;
		if (!tenant.budgets || Object.keys(tenant.budgets).length === 0) return undefined;
		const charge = chargeOf(deps.clock(), asked.segments, price);
		const isUnpriced = price === undefined && countsCost(tenant, country);
		if (!isUnpriced) return { charge };
		return { charge, verdict: { check: "budget", country, verdict: "refused", reason: "PRICE_UNKNOWN", unit: "cost" } };
	}

	return {
		/**
		 * Counts a message, and charges it to the budgets.
		 * @throws LetheError destination_not_allowed, limit_reached, with the verdict; store_unavailable
		 */
		async pass(tenant: TenantDocument, asked: Asked): Promise<Passed> {
			requirePassed(judgeDestination(tenant, asked.country), deps.clock());
			const velocity = await judgeVelocity(tenant, asked, true);
			requirePassed(velocity, deps.clock());
			const noted = velocity.verdict === "noted" ? [velocity] : [];
			const spending = chargeTo(tenant, asked);
			if (!spending) return { noted };
			const { charge, verdict } = spending;
			if (verdict) requirePassed(verdict, deps.clock());
			const counters = countersOf(charge, asked.country, tenant.budgets);
			const short = await deps.store.spending.take({ tenantId: tenant._id, at: charge.at, counters });
			if (short) requirePassed(refusedBy(short.counter, short.seen, asked.country), deps.clock());
			return { noted, charge };
		},

		/** What each check would say; nothing is counted. */
		async tryOut(tenant: TenantDocument, asked: Asked): Promise<AbuseVerdict[]> {
			const verdicts = [judgeDestination(tenant, asked.country), await judgeVelocity(tenant, asked, false)];
			const spending = chargeTo(tenant, asked);
			if (!spending) return verdicts;
			if (spending.verdict) return [...verdicts, spending.verdict];
			const spent = await deps.store.spending.read(tenant._id, spending.charge.at);
			const limited = countersOf(spending.charge, asked.country, tenant.budgets).filter(
				({ limit }) => limit !== undefined,
			);
			const budgets = limited.map((counter): AbuseVerdict => {
				const [of = "", period = ""] = counter.path.split(".");
				const seen = spent[of]?.[period]?.[counter.unit] ?? 0;
				const { reason, ...told } = refusedBy(counter, seen, asked.country);
				const hasRoom = seen + counter.adds <= (counter.limit ?? 0);
				return hasRoom ? { ...told, verdict: "passed" } : { ...told, ...(reason ? { reason } : {}) };
			});
			return [...verdicts, ...budgets];
		},

		/** Takes back what was charged for a message that is surely not stored. */
		async giveBack(tenantId: string, country: string, charge: Charge | undefined): Promise<void> {
			if (!charge) return;
			await deps.store.spending.giveBack({ tenantId, at: charge.at, counters: countersOf(charge, country) });
		},
	};
}

function requirePassed(verdict: AbuseVerdict, now: number): void {
	if (verdict.verdict !== "refused") return;
	const { reason, windowSeconds, period } = verdict;
	const told = { reasons: [reason], abuse: [verdict] };
	if (verdict.check === "destination") throw new LetheError("destination_not_allowed", { extra: told });
	const waitMs = period ? endsInMs(period, now) : (windowSeconds ?? 1) * 1000;
	throw new LetheError("limit_reached", { extra: { ...told, retryAfterSeconds: Math.ceil(waitMs / 1000) } });
}
