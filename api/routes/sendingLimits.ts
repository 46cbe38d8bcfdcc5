// /v1/sending-limits: where a tenant's messages may go, how fast and for how much, as its operators set it.

import { z } from "zod";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import { type AbuseLimits, anywhere, velocityDefault } from "../../domain/abuse.ts";
import { isCountry } from "../../domain/country.ts";
import { LetheError } from "../../domain/errors.ts";
import { isWord } from "../../domain/evidence.ts";
import { categories } from "../../domain/message.ts";
import type { ApiDeps } from "../deps.ts";
import type { Instance } from "../instance.ts";
import { actOf } from "../plugins/evidence.ts";
import { refusePast } from "../refusePast.ts";
import { asStored, countryRates, problems, segmentsPerSecond, fields as shapes, storedCountry } from "../schemas.ts";

type Deps = Pick<ApiDeps, "clock" | "evidence"> & {
	store: {
		spending: Pick<ApiDeps["store"]["spending"], "read">;
		tenants: Pick<ApiDeps["store"]["tenants"], "find" | "set">;
	};
};

const countryOrAll = z.string().refine((code) => code === anywhere || isCountry(code), {
	error: "A country of ISO 3166-1, or `*`.",
});
const amounts = z.strictObject({
	segments: z.int().min(0).max(1e12).optional(),
	cost: z.number().min(0).max(1e9).optional().meta({ description: "In the currency of the send queues' prices." }),
});
const budget = z.strictObject({ day: amounts.optional(), month: amounts.optional() });
const range = z.string().refine((text) => /^[A-Z]{2}(:\d{1,4})?$/.test(text) && isCountry(text.slice(0, 2)), {
	error: "A country, or a country and up to four digits as in DE:1512.",
});
const until = shapes.time.nullable();
const velocity = z.strictObject({
	messagesMax: z.int().min(0).max(1e9),
	windowSeconds: z.int().min(10).max(86_400),
	mode: z.enum(["monitor", "enforce"]),
	exempt: z
		.record(range, until)
		.refine((exempt) => Object.keys(exempt).length <= 100, { error: "Too many." })
		.optional()
		.meta({ description: "What an operator lets pass, until when; null for good." }),
});

const fields = {
	destinations: z
		.array(countryOrAll)
		.max(300)
		.meta({ description: "Countries that it sends to, ISO 3166-1, or `*`. Nothing goes to any other." }),
	regions: z
		.array(z.string().refine((name) => name.length <= 64 && isWord(name), { error: "A word." }))
		.min(1)
		.max(32)
		.meta({ description: "Regions that its messages may be processed in." }),
	ratePerSecond: segmentsPerSecond,
	countryRates,
	refuseHopeless: z
		.array(z.enum(categories))
		.meta({ description: "Categories of which a message ends at once when the queue ahead outlasts its deadline." }),
	budgets: z.record(countryOrAll, budget).meta({ description: "By country, or `*` for all together. Days of UTC." }),
	velocity: velocity.meta({ description: "Of numbers that share a country and their first four digits." }),
};

const sendingLimits = z
	.object({
		...z.object(fields).partial().shape,
		destinations: z.array(storedCountry).meta(fields.destinations.meta() ?? {}),
		countryRates: asStored(countryRates),
		budgets: asStored(fields.budgets),
		velocity: velocity.extend({
			exempt: z
				.record(storedCountry, until)
				.meta(velocity.shape.exempt.meta() ?? {})
				.optional(),
		}),
		spent: z
			.array(
				z.object({
					country: z.string().meta({ description: "`*`: all together." }),
					day: z.object({ segments: z.int(), cost: z.number() }).optional(),
					month: z.object({ segments: z.int(), cost: z.number() }),
				}),
			)
			.meta({ description: "Today and this month, as far as budgets count it." }),
	})
	.meta({ id: "SendingLimits" });

const { destinations, ...removable } = fields;
const change = z
	.strictObject({
		destinations: destinations.optional(),
		...Object.fromEntries(Object.entries(removable).map(([name, schema]) => [name, schema.nullish()])),
	} as { destinations: z.ZodOptional<typeof destinations> } & {
		[Name in keyof typeof removable]: z.ZodOptional<z.ZodNullable<(typeof removable)[Name]>>;
	})
	.refine((body) => Object.keys(body).length > 0, { error: "Nothing is to be changed." })
	.meta({ id: "SendingLimitsChange" });

const tags = ["operations"];

export function addSendingLimits(app: Instance, deps: Deps): void {
	async function requireTenant(tenantId: string): Promise<TenantDocument> {
		const tenant = await deps.store.tenants.find(tenantId);
		if (!tenant) throw new LetheError("unauthenticated");
		return tenant;
	}

	async function view(tenantId: string): Promise<z.input<typeof sendingLimits>> {
		const tenant = await requireTenant(tenantId);
		const now = deps.clock();
		const { destinations: allowed = [], regions, ratePerSecond, refuseHopeless, budgets } = tenant;
		return {
			destinations: allowed,
			...{ regions, ratePerSecond, countryRates: tenant.countryRates, refuseHopeless, budgets },
			velocity: viewVelocity(tenant.velocity ?? velocityDefault),
			spent: viewSpent(await deps.store.spending.read(tenantId, now), now),
		};
	}

	app.get(
		"/sending-limits",
		{
			schema: {
				operationId: "readSendingLimits",
				summary: "Where the tenant's messages may go, how fast and for how much",
				tags,
				response: { 200: sendingLimits.describe("As they are"), ...problems },
			},
		},
		async (request) => view(request.principal.tenantId),
	);

	app.post(
		"/sending-limits",
		{
			schema: {
				operationId: "setSendingLimits",
				summary: "Set where the tenant's messages may go, how fast and for how much",
				description: "What is left out stays; null removes. In force within five seconds, at senders within two.",
				tags,
				body: change,
				response: { 200: sendingLimits.describe("As they are now"), ...problems },
			},
		},
		async (request) => {
			const { principal, body } = request;
			const tenant = await requireTenant(principal.tenantId);
			refusePastExemptions(deps, tenant.velocity, body.velocity);
			const given = body.velocity ? { ...body, velocity: readVelocity(body.velocity) } : body;
			const names = Object.keys(body).sort().join(".");
			const about = principal.tenantId;
			await deps.evidence.append([actOf(principal, "tenant_changed", { code: names, about })]);
			await deps.store.tenants.set(principal.tenantId, given);
			return view(principal.tenantId);
		},
	);
}

type Velocity = NonNullable<AbuseLimits["velocity"]>;

function readVelocity({ exempt, ...rest }: z.output<typeof velocity>): Velocity {
	const times = Object.entries(exempt ?? {}).map(([of, at]) => [of, at === null ? 0 : Date.parse(at)] as const);
	return { ...rest, ...(times.length > 0 ? { exempt: Object.fromEntries(times) } : {}) };
}

/** What stands may be past by now, and be given again with the rest. @throws LetheError invalid_request */
function refusePastExemptions(
	deps: Pick<Deps, "clock">,
	now: Velocity | undefined,
	given: z.output<typeof velocity> | null | undefined,
): void {
	for (const [of, until] of Object.entries(given?.exempt ?? {})) {
		if (until === null) continue;
		// Zero stands for good, and for no time.
		const stands = now?.exempt?.[of] || undefined;
		if (stands !== Date.parse(until)) refusePast(deps, `/velocity/exempt/${of}`, until);
	}
}

function viewVelocity({ exempt, ...rest }: Velocity): z.input<typeof velocity> {
	const times = Object.entries(exempt ?? {}).map(([of, at]) => [of, at === 0 ? null : new Date(at).toISOString()]);
	return { ...rest, ...(times.length > 0 ? { exempt: Object.fromEntries(times) } : {}) };
}

type Spent = Awaited<ReturnType<Deps["store"]["spending"]["read"]>>;

function viewSpent(spent: Spent, now: number): z.input<typeof sendingLimits>["spent"] {
	const today = `day${new Date(now).getUTCDate()}`;
	const amountsOf = (of: { segments: number; cost: number }) => ({ segments: of.segments, cost: of.cost / 1_000_000 });
	return Object.entries(spent).flatMap(([of, { month, [today]: day }]) => {
		if (!month) return [];
		return [
			{ country: of === "all" ? anywhere : of, ...(day ? { day: amountsOf(day) } : {}), month: amountsOf(month) },
		];
	});
}
