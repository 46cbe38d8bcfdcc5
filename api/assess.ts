// All that is asked of a message before it is stored: the policies, a send queue that may have it, the tenant's own limits.

import type { SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import { LetheError } from "../domain/errors.ts";
import { type DryRunRefusal, dryRunRefusals } from "../domain/message.ts";
import { priceOf } from "../domain/routes.ts";
import { segmentText } from "../domain/segments.ts";
import { type AbuseDeps, createAbuse, type Passed } from "./abuse.ts";
import { type ComposeDeps, type ComposedInput, createCompose } from "./compose.ts";
import type { ApiDeps } from "./deps.ts";
import { createFindRoutes, type FindRoutesDeps } from "./findRoutes.ts";
import { createJudge, type JudgeDeps, type Judgement, type Reply, type Retention } from "./judge.ts";
import { createPlanDelivery, type Delivery, type PlanDeliveryDeps } from "./planDelivery.ts";
import type { Principal } from "./plugins/auth.ts";
import type { MessageInput } from "./schemas.ts";
import { createWebhooks, type Notified, type WebhooksDeps } from "./webhooks.ts";

export type AssessDeps = Pick<ApiDeps, "clock" | "hmac" | "log" | "policies"> &
	PlanDeliveryDeps & {
		sendQueues: AbuseDeps["sendQueues"] & FindRoutesDeps["sendQueues"];
		sendCounts: JudgeDeps["sendCounts"];
		store: FindRoutesDeps["store"] &
			WebhooksDeps["store"] &
			ComposeDeps["store"] &
			AbuseDeps["store"] &
			JudgeDeps["store"];
	};

/** Who sends: a principal, or the engine itself where it answers a recipient. */
export type Sender = Pick<Principal, "id" | "tenantId" | "categories">;

/**
 * `discreet`: what is on record of the recipient refuses it (policy_denied, with `withheldFor`) only once nothing else does.
 * Whoever does not tell that refusal answers every number alike.
 */
type Asking = { principal: Sender; reply?: Reply; discreet?: boolean };

/** A message that may be stored: it counts towards every limit already, until `forgo` or `giveBack`. */
export type Assessed = {
	input: ComposedInput;
	judgement: Judgement;
	delivery: Delivery;
	retention: Retention;
	queue: SendQueueDocument;
	segments: number;
	passed: Passed;
	notified: Notified;
};

type Planned = Pick<Assessed, "delivery" | "retention">;

export function createAssess(deps: AssessDeps) {
	const { read, judge, plan, place } = createJudging(deps);
	const abuse = createAbuse(deps);
	const notifiedOf = createWebhooks(deps);

	/** What is not given back in time counts until its month is over: never too little. */
	function giveBack(tenantId: string, { judgement, passed }: Pick<Assessed, "judgement" | "passed">): void {
		abuse
			.giveBack(tenantId, judgement.country, passed.charge)
			.catch(() => deps.log.warn({ code: "charge_kept", tenantId }, "not given back"));
	}

	return {
		/** @throws LetheError for whatever refuses it; then it counts nowhere */
		async assess(
			asked: MessageInput,
			{ principal, reply, discreet = false }: Asking,
			tenant: TenantDocument,
			now: number,
		): Promise<Assessed> {
			const input = await read(asked, principal, tenant);
			const notified = await notifiedOf(tenant._id, input.webhook);
			const judgement = await judge(input, tenant, now, { reserve: true, reply, discreet });
			try {
				const { delivery, retention, queue } = await place(input, judgement, tenant, now);
				const { country, range, withheldFor } = judgement;
				const { segments } = segmentText(delivery.outline);
				// Last: what it counts and charges is for a message that nothing else refuses.
				const passed = await abuse.pass(tenant, { country, range, segments, price: priceOf(queue, country) });
				const assessed = { input, judgement, delivery, retention, queue, segments, passed, notified };
				if (withheldFor === undefined) return assessed;
				giveBack(tenant._id, assessed);
				throw new LetheError("policy_denied", { extra: { withheldFor } });
			} catch (error) {
				judgement.reservation?.forgo();
				throw error;
			}
		},

		/**
		 * Before anything is counted or stored, where a refusal would come too late.
		 * @throws LetheError as `assess`, but for the tenant's own limits, which count as they are asked, and for what is on
		 * record of the recipient, which a discreet request does not tell
		 */
		async foresee(asked: MessageInput, principal: Sender, tenant: TenantDocument): Promise<void> {
			const input = await read(asked, principal, tenant);
			await notifiedOf(tenant._id, input.webhook);
			const now = deps.clock();
			await place(input, await judge(input, tenant, now, { discreet: true }), tenant, now);
		},

		/** What each would say; nothing is counted. */
		async tryOut(asked: MessageInput, principal: Sender, tenant: TenantDocument) {
			const input = await read(asked, principal, tenant);
			const now = deps.clock();
			const judgement = await judge(input, tenant, now);
			const { decision, country, range, queue } = judgement;
			const { outline, refusal } = tryDelivery(judgement, () => plan(judgement, input, tenant, now));
			const cost = costOf(input, outline ?? input.body.reveal());
			const price = queue && priceOf(queue, country);
			const verdicts = await abuse.tryOut(tenant, { country, range, segments: cost.segments, price });
			const route = queue && { sendQueue: queue._id, route: viewRoute(queue, price) };
			return { decision, abuse: verdicts, ...(refusal && { refusal }), ...route, ...cost };
		},

		/** Nothing of these is going to be stored, for the reason that is thrown: no limit counts them any more. */
		forgo(tenantId: string, assessing: Promise<Assessed>[]): (reason: unknown) => Promise<never> {
			return async (reason) => {
				for (const one of assessing) {
					one
						.then((assessed) => {
							assessed.judgement.reservation?.forgo();
							giveBack(tenantId, assessed);
						})
						.catch(() => undefined);
				}
				throw reason;
			};
		},

		giveBack,
	};
}

/** What is asked of a message but for the tenant's own limits. */
function createJudging(deps: AssessDeps) {
	const judging = createJudge(deps);
	const { findRoutes, refuseRoute } = createFindRoutes(deps);
	const compose = createCompose(deps);
	const plan = createPlan(deps, judging);

	return {
		plan,
		/** What is to be sent. @throws LetheError as `createCompose` says, and category_refused */
		read: async (asked: MessageInput, principal: Sender, tenant: TenantDocument): Promise<ComposedInput> =>
			requireCategory(principal, await compose(tenant._id, asked)),
		judge: (
			input: ComposedInput,
			tenant: TenantDocument,
			now: number,
			own: { reserve?: boolean; reply?: Reply | undefined; discreet?: boolean } = {},
		): Promise<Judgement> =>
			judging.judge(input, tenant, now, {
				...own,
				findRoutes: (country, macs) => findRoutes(tenant, { ...input, country }, macs),
			}),
		/** How one is going to go. @throws LetheError where it may not, or there is no way */
		async place(input: ComposedInput, judgement: Judgement, tenant: TenantDocument, now: number) {
			judging.requireAllowed(judgement);
			const planned = plan(judgement, input, tenant, now);
			return { ...planned, queue: judgement.queue ?? (await refuseRoute(tenant, input)) };
		},
	};
}

/** How a message is going to be handed over, and how long each trace of it lives. It throws as both plans do. */
function createPlan(deps: PlanDeliveryDeps, judge: Pick<ReturnType<typeof createJudge>, "plan">) {
	const planDelivery = createPlanDelivery(deps);

	return (judgement: Judgement, input: ComposedInput, tenant: TenantDocument, now: number): Planned => {
		const delivery = planDelivery(judgement, input, tenant, now);
		return { delivery, retention: judge.plan(judgement, statedNeeds(tenant, delivery), now) };
	};
}

type Tried = { outline?: string; refusal?: DryRunRefusal };

/** What is refused has no way to go, and costs what its text would; `refusal`: why, where the policies let it go. */
function tryDelivery({ decision, facts }: Judgement, plan: () => Planned): Tried {
	if (!decision.allowed) return {};
	if (facts.context?.cardNumber) return { refusal: "card_number" };
	try {
		return { outline: plan().delivery.outline };
	} catch (error) {
		const refusal = error instanceof LetheError && dryRunRefusals.find((code) => code === error.code);
		if (!refusal) throw error;
		return { refusal };
	}
}

function viewRoute({ _id: sendQueue, carrier, sender }: SendQueueDocument, segmentPrice: number | undefined) {
	return { sendQueue, carrier, sender, ...(segmentPrice !== undefined && { segmentPrice }) };
}

/** What its tenant has stated that it needs, unless its delivery mode needs another thing. */
function statedNeeds({ retention }: TenantDocument, { contentNeed }: Delivery): TenantDocument["retention"] {
	return contentNeed === undefined ? retention : { ...retention, content: contentNeed };
}

/** The SMS that are sent, and those of the text as it came where look-alikes were to be substituted. */
function costOf({ substituted }: ComposedInput, outline: string) {
	return { ...segmentText(outline), ...(substituted && { substituted }) };
}

/** The same input. @throws LetheError category_refused when its category is not among those that the principal may send */
function requireCategory({ categories }: Sender, input: ComposedInput): ComposedInput {
	if (categories && !categories.includes(input.category)) {
		const detail = `These credentials may send: ${categories.join(", ")}.`;
		throw new LetheError("category_refused", { errors: [{ pointer: "/category", detail }] });
	}
	return input;
}
