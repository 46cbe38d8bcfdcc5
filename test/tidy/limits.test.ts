// The limits hold together: what must be longer, larger or rarer than what.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { limits } from "../../domain/limits.ts";
import { root } from "./tree.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const utf8BytesPerCharacterMax = 4;

/** Every relation, smaller side first; equal is allowed only where the last column says so. */
const relations: [why: string, less: number, more: number, orEqual?: true][] = [
	["a lease outlives the carrier call that it covers", limits.carrierTimeoutMs, limits.leaseMs],
	["a driver is not presumed lost during one carrier call", limits.carrierTimeoutMs, limits.driverPatienceMs],
	["a start that gives way begins before it is presumed lost", limits.startsGiveWayMsMax, limits.driverPatienceMs],
	["a Redis that hangs does not have drivers presumed lost", 2 * limits.queuesAnswerMsMax, limits.driverPatienceMs],
	["the sweep looks more often than patience ends", limits.sweepEveryMs, limits.driverPatienceMs],
	[
		"an ambiguous attempt is resolved within even the shortest grace, clocks that differ included",
		limits.leaseMs + limits.carrierTimeoutMs + 2 * limits.clockSkewMs,
		limits.receiptGraceOtpMs,
	],
	["one-time codes close sooner than the rest", limits.receiptGraceOtpMs, limits.receiptGraceMs],
	[
		"a one-time code is over within ten minutes, grace and skew included",
		limits.validForOtpDefaultMs + limits.receiptGraceOtpMs + limits.clockSkewMs,
		10 * minuteMs,
	],
	["the shortest validity leaves time for one carrier call", limits.carrierTimeoutMs, limits.validForMinMs, true],
	["a one-time code's validity is no shorter than the least", limits.validForMinMs, limits.validForOtpDefaultMs],
	["a one-time code expires before other messages", limits.validForOtpDefaultMs, limits.validForDefaultMs],
	[
		"the latest deadline is of what waits longest and is valid longest",
		2 * limits.validForMaxMs,
		limits.deadlineMsMax,
		true,
	],
	["the default validity is permitted", limits.validForDefaultMs, limits.validForMaxMs, true],
	[
		"no endpoint takes all that its tenant may",
		limits.webhooksInFlightPerEndpointMax,
		limits.webhooksInFlightPerTenantMax,
	],
	["no tenant takes all that a process sends", limits.webhooksInFlightPerTenantMax, limits.webhooksInFlightMax],
	["an act on a person is over before another's may begin", limits.requestMsMax, limits.personActMs],
	["the first wait is the shortest", limits.backoffFirstMs, limits.backoffMaxMs],
	["a wait does not outlast the default validity", limits.backoffMaxMs, limits.validForDefaultMs],
	["an honest clock never makes a callback stale", limits.clockSkewMs, limits.callbackFreshnessMs],
	["what can still be fresh is remembered", 2 * limits.callbackFreshnessMs, limits.callbackReplayMs, true],
	["the store remembers for longer than Redis does", limits.callbackReplayMs, limits.inboundSeenMs],
	["a one-time code does not expire by clock skew alone", limits.clockSkewMs, limits.validForOtpDefaultMs],
	["a receipt parked in time is tried until grace ends", limits.receiptGraceMs, limits.parkedReceiptMs],
	["a sender learns of a suspension before those who accept do", limits.tenantSendMs, limits.tenantSeenMs],
	[
		"nothing that was judged before a suspension comes into the store once it counts as settled",
		limits.tenantSeenMs + limits.headInsertMsMax + limits.storeAcknowledgeMsMax - 1,
		limits.tenantSettleMs,
	],
	["a lost receipt is asked for within even the shortest grace", limits.receiptPatienceMs, limits.receiptGraceOtpMs],
	["parked receipts live 72 hours at most", limits.parkedReceiptMs, 72 * hourMs, true],
	[
		"no head's insert is in flight any more when its members count as orphans, clocks that differ included",
		limits.headInsertMsMax + limits.storeAnswerMsMax + limits.storeAcknowledgeMsMax + limits.clockSkewMs,
		limits.orphanPatienceMs,
	],
	[
		"orphans are gone before the soonest cohort that they can be in is due",
		limits.orphanPatienceMs,
		limits.validForMinMs + limits.receiptGraceOtpMs + limits.clockSkewMs,
	],
	["a count that is told is shorter than a number that anybody can be called by", limits.toldCountMax, 100_000],
	["what a page has done can be told", limits.sweepPageItems, limits.toldCountMax],
	["a sweep page holds a whole submission", limits.submissionMessagesMax, limits.sweepPageItems, true],
	[
		"nobody takes up a purge page that a store may still be at work on",
		limits.storeAnswerMsMax,
		limits.purgePagePatienceMs,
	],
	[
		"nothing that was judged without a hold comes into the store once the hold counts as settled, clocks that differ included",
		limits.headInsertMsMax + limits.storeAnswerMsMax + limits.storeAcknowledgeMsMax + limits.clockSkewMs,
		limits.holdSettleMs,
	],
	[
		"what a hold kept is looked at twice within the hour of its release",
		2 * limits.holdKeyCheckMs,
		60 * minuteMs,
		true,
	],
	// NIST SP 800-38D, section 8.3: at most 2^32 invocations of one key with random nonces.
	["a wrapping key stays far below the bound of random nonces", limits.wrappingKeyUsesMax, 2 ** 24, true],
	["a plain wrapping key is forgotten within 15 minutes", limits.wrappingKeyAgeMsMax, 15 * minuteMs, true],
	[
		"a text of the greatest length fits into a body in any script",
		limits.textCharactersMax * utf8BytesPerCharacterMax + limits.clientReferenceCharactersMax,
		limits.bodyBytesMax,
	],
	[
		"a callback brings more receipts than a body of a caller's would hold",
		limits.bodyBytesMax,
		limits.callbackBytesMax,
	],
	[
		"many of the largest callbacks are taken in at once before others are shed",
		64 * limits.callbackBytesMax,
		limits.bytesInFlightMax,
	],
	[
		"what was read of a recipient is fresh for less than a driver's patience",
		limits.standingFreshMs,
		limits.driverPatienceMs,
	],
	["a reservation outlives an insert that is on its way", limits.storeAnswerMsMax, limits.reservationMs],
	[
		"a consent in effect is looked at less often than what a hold keeps",
		limits.heldCohortCheckMs,
		limits.consentCheckMs,
	],
	["more is kept of a recipient than one consent names", limits.purposesPerConsentMax, limits.recordsPerSubjectMax],
	[
		"a process that can't read the published versions decides nothing before a new one may be in force",
		limits.policyStaleMs + limits.policyPollMs,
		limits.policyNoticeMs,
		true,
	],
	["published versions are polled more often than they go stale", limits.policyPollMs, limits.policyStaleMs],
	["a publisher is replaced only after its store calls have ended", limits.policyNoticeMs, limits.publishPatienceMs],
	[
		"what was judged before a version was in force is stored when the second look comes",
		limits.policyStaleMs + limits.headInsertMsMax,
		limits.retimeSettleMs,
	],
	[
		"a head that was about to be written is there when it is missed for good, by whichever clock",
		limits.headInsertMsMax + limits.storeAcknowledgeMsMax + 2 * limits.clockSkewMs,
		limits.headMissedMs,
	],
	["a torn batch goes in time by right clocks", limits.driverPatienceMs + limits.headMissedMs, limits.orphanPatienceMs],
	[
		"nobody can still be about to join a cohort that was given up",
		limits.cohortSeenMs + limits.headInsertMsMax + limits.storeAnswerMsMax,
		limits.cohortRetireMs,
	],
	["a step of an export ends long before its activity counts as dead", 2 * limits.exportStepMs, 2 * minuteMs],
	["whoever asks for an export is answered within a request's time", limits.exportPatienceMs, limits.requestMsMax],
	[
		"whoever waits for a message's final state is answered before its socket counts as idle",
		limits.stateWaitMsMax,
		limits.socketIdleMsMax,
	],
	["a readiness that is told is younger than a check may take", limits.readinessKeptMs, limits.readinessCheckMsMax],
	["a form for a token is shorter than any body", limits.tokenFormBytesMax, limits.bodyBytesMax],
	["fewer messages are read out than are searched for", limits.revealsPerMinuteMax, limits.messageSearchesPerMinuteMax],
	["an export lives for many askings", 10 * limits.exportPatienceMs, limits.exportLifeMs],
	["a step over messages ends long before its activity counts as dead", limits.policyStepMs, 30_000],
	["keys made ahead are still held when they are needed", limits.cohortAheadMs, 0.8 * limits.wrappingKeyAgeMsMax],
	[
		"keys are made ahead several times over before they are needed",
		3 * limits.cohortAheadEveryMs,
		limits.cohortAheadMs,
	],
	["keys made ahead push out none that is in use", 2 * limits.cohortsAheadMax, limits.wrappingKeysCachedMax],
	["failed sign-ins are remembered longer than any wait for them", limits.signInWaitMsMax, limits.signInsKeptMsMin],
	[
		"whoever guesses from one network leaves an account's owner most of the time elsewhere",
		10 * limits.signInWaitEverywhereMsMax,
		limits.signInWaitMsMax,
	],
	["a one-time code is good for ten minutes at most", limits.verificationValidForMaxMs, 10 * minuteMs, true],
	["a number's guesses of a day are few against the codes there are", limits.verificationFailuresMax, 100, true],
	[
		"a number may be asked about more than once before it is locked",
		limits.verificationAttemptsMax,
		limits.verificationFailuresMax,
	],
	["whoever sends webhooks has their lease for several requests", 3 * limits.webhookTimeoutMs, limits.webhookLeaseMs],
	["the log of webhooks outlives their tries", 2 * limits.webhookTryMs, limits.webhookLogMs],
	["a webhook is tried several times a day", 4 * limits.webhookBackoffMaxMs, limits.webhookTryMs],
	["more attempts than receipts are never kept", limits.attemptsMax, limits.receiptsKeptMax],
	[
		"a receipt is kept of every part of the longest text, in UCS-2 and with surrogate pairs at each cut, whatever else comes",
		Math.ceil(limits.textCharactersMax / 66) + limits.receiptsUnheededMax,
		limits.receiptsKeptMax,
		true,
	],
];

for (const [why, less, more, orEqual] of relations) {
	test(why, () => assert.ok(orEqual ? less <= more : less < more, `${less} against ${more}`));
}

test("for how long doubts are listed is told as it is, wherever it is told", () => {
	assert.equal(limits.deadlineMsMax + limits.parkedReceiptMs, 17 * 24 * hourMs);
	for (const file of ["api/routes/messages/list.ts", "cli/queue.ts", "docs/routing.md"]) {
		assert.match(readFileSync(join(root, file), "utf8"), /\blast seventeen days\b/, file);
	}
});

test("every limit is a positive whole number whose name says its unit or bound", () => {
	for (const [name, value] of Object.entries(limits)) {
		assert.ok(Number.isSafeInteger(value) && value > 0, name);
		assert.match(name, /(Max|Min|Ms|Items)$/);
	}
});
