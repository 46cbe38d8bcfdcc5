// What goes before what for one message of a request for erasure: its facts, the packs, the holds, and what a person decided.

import type { Facts } from "../domain/decision.ts";
import { formatTime } from "../domain/formatTime.ts";
import { isFinal } from "../domain/lifecycle.ts";
import type { Message } from "../domain/message.ts";
import type { HoldRecord } from "../domain/subject.ts";
import type { SubjectRequest } from "../domain/subjectRequest.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import { precede, type Settled } from "../policies/precedence.ts";
import type { ActivityDeps } from "./deps.ts";

/** `eraseAt`: when it may and must go, holds permitting; undefined where nothing lets it. `codes` are the packs' own. */
export type ErasureVerdict = Settled & { held: boolean; eraseAt?: number; codes: string[] };

/**
 * @param holds those that bear on the message or on its recipient
 * @throws LetheError policies_unavailable
 */
export function settleErasure(
	deps: { policies: Pick<ActivityDeps["policies"], "reevaluate"> },
	request: SubjectRequest,
	message: Message,
	holds: readonly HoldRecord[],
	now: number,
): ErasureVerdict {
	const held = holds.length > 0 || message.holds.length > 0;
	// What holds once the hold is gone says whether the message goes then.
	const free = decide(deps, request, message, undefined, now);
	const then = overrule(request, free.settled);
	const eraseAt = eraseTime(then, free.notBefore, now);
	const until = eraseAt === undefined ? {} : { eraseAt };
	if (!held) return { ...then, held, ...until, codes: free.codes };
	const bound = decide(deps, request, message, holds, now);
	return { ...overrule(request, bound.settled, true), held, ...until, codes: bound.codes };
}

function decide(
	{ policies }: { policies: Pick<ActivityDeps["policies"], "reevaluate"> },
	request: SubjectRequest,
	message: Message,
	holds: readonly HoldRecord[] | undefined,
	now: number,
) {
	const { facts: asked, identity, receivedAt } = request;
	const facts: Facts = {
		...message.facts,
		subjectResidence: residenceOf(message.facts.subjectResidence, asked.subjectResidence, asked.recipientRegion),
		legalHold: holds ? true : undefined,
		context: withoutUndefined({
			...message.facts.context,
			...asked.context,
			event: "erasure_request" as const,
			createdAt: formatTime(message.acceptedAt),
			// It may be processed until its close.
			processedAt: formatTime(isFinal(message.state) ? message.stateAt : message.closeAt),
			receivedAt: formatTime(receivedAt),
			authenticatedAt: identity && formatTime(identity.checkedAt),
			verified: true,
			holdGround: holds?.map(({ ground }) => ground).join(" ") || undefined,
			restriction: undefined,
		}),
	};
	const decision = policies.reevaluate(facts, now);
	const settled = precede(decision, holds !== undefined);
	return { settled, codes: decision.reasons, notBefore: decision.notBefore };
}

/**
 * Where the person lives, by what the message knew, then by what was said of them, then by the region that their clock
 * went by: each stands unless the next names a region of it. The law that set the clock is the law that erases.
 */
function residenceOf(...places: readonly (string | undefined)[]): string | undefined {
	return places.reduce((known, told) =>
		known === undefined || told?.startsWith(`${known}-`) ? (told ?? known) : known,
	);
}

// A person's word settles what only a person could; a hold is not theirs to overrule, but to release.
function overrule(request: SubjectRequest, settled: Settled, held = false): Settled {
	if (settled.verdict !== "review") return settled;
	const decided = request.tasks.find(({ name }) => name === settled.reason)?.decided;
	if (!decided) return settled;
	if (decided.verdict !== "erase") return { ...settled, verdict: "keep" };
	return held ? { ...settled, reason: "hold", verdict: "keep", until: "release" } : { ...settled, verdict: "erase" };
}

function eraseTime({ verdict, until }: Settled, notBefore: string | undefined, now: number): number | undefined {
	if (verdict === "erase") return now;
	return until === "minimum" && notBefore !== undefined ? Date.parse(notBefore) : undefined;
}
