// What needs a person now, derived from what is stored: nothing is raised, kept or dismissed, an alert ends with its cause.

import type { Cohort, SendQueueDocument, TenantDocument } from "../adapters/mongo/models.ts";
import type { OpenRequest } from "../adapters/mongo/subjectRequests.ts";
import type { Failing } from "../adapters/redis/health.ts";
import { isLasting } from "../domain/circuit.ts";
import { type Bundle, isSound } from "../domain/evidence.ts";
import type { WaitingEntry } from "../domain/ledger.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import type { HoldRecord } from "../domain/subject.ts";
import { type AlertCode as ReminderCode, reminders } from "../domain/subjectRequest.ts";
import type { DisabledEndpoint } from "../domain/webhook.ts";
import { withoutUndefined } from "../domain/withoutUndefined.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { readEntry } from "./entry.ts";
import { findUnattended } from "./findUnattended.ts";
import { commonKeys, findKeyAges, type KeyPeriods } from "./keyAges.ts";
import { findEndableKeys, type KeyNeedsDeps } from "./keyNeeds.ts";

/** `critical`: something is lost or stands still; `warning`: it will be; `info`: somebody has wanted it so. */
export const severities = ["critical", "warning", "info"] as const;
type Severity = (typeof severities)[number];

/** Code → how bad it is, and what to do. */
const catalogue = {
	purge_late: [
		"critical",
		"See what holds the worker or the cohort up: `lethe doctor` names it, `lethe keys list --cohort ID` says what needs it.",
	],
	message_unreadable: [
		"critical",
		"Put its document's `archive` back as a backup of MongoDB has it: what is due of it is done within ten minutes.",
	],
	ledger_late: [
		"critical",
		"See why the worker can't reach Vault, or write to the folder of LETHE_LEDGER_DIR; what waits is in force meanwhile.",
	],
	evidence_not_as_witnessed: [
		"critical",
		"Run `lethe evidence fsck`; where a restore has lost entries, then `lethe evidence succeed --reason restore` (docs/evidence.md).",
	],
	evidence_unpublished: ["warning", "See whether the worker runs, and reaches Vault and the witnesses."],
	evidence_unintegrated: ["warning", "See whether the worker runs; its log says what it can't enter."],
	tls_certificate_expired: [
		"critical",
		"Write a renewed one and its key into the files of LETHE_TLS_CERTIFICATE_FILE and LETHE_TLS_KEY_FILE: within seconds it serves.",
	],
	tls_certificate_expiring: [
		"warning",
		"Write a renewed one and its key into the files of LETHE_TLS_CERTIFICATE_FILE and LETHE_TLS_KEY_FILE in time.",
	],
	server_away: ["critical", "Start it, or correct its address; `lethe doctor` says more."],
	policies_unavailable: [
		"critical",
		"Run `lethe doctor`, which says why; restore what was published from a backup where that can't be used. Until then nothing is accepted or sent.",
	],
	hold_unapproved: [
		"warning",
		"Have the person whom it names approve or reject it: `lethe holds approve`, `lethe holds reject`.",
	],
	hold_review_due: [
		"warning",
		"Release it with `lethe holds release`; where it is still needed, first place another with a later date of review.",
	],
	request_late: [
		"critical",
		"Do what `reason` says at once, `lethe requests acknowledge` or answer and `lethe requests close`: the law's day is over.",
	],
	request_due: [
		"warning",
		"Do what `reason` says in time: `lethe requests acknowledge`, or answer and `lethe requests close`; `lethe requests show` has the day.",
	],
	request_decision_due: [
		"warning",
		"See what waits with `lethe requests show`, and decide it: `lethe requests decide`.",
	],
	key_overdue: ["warning", "Rotate it with `lethe keys rotate`."],
	key_version_unneeded: ["warning", "End it with `lethe keys retire`."],
	receipts_parked: [
		"warning",
		"See which carrier's receipts name messages that nobody sent: `lethe_callbacks_total` in /metrics counts them as `parked`.",
	],
	redactions_late: [
		"warning",
		"See in the worker's log what the carrier answers, or whether the worker runs; what it does not forget in 30 days is left to its agreement.",
	],
	worker_absent: [
		"critical",
		"Start the worker, and read its log; messages and what is due to be erased wait meanwhile.",
	],
	sender_absent: ["critical", "Start a sender, and read its log; messages wait meanwhile, and end with their time."],
	queue_unusable: [
		"critical",
		"Give the queue what its carrier takes: `lethe admin secrets`, `lethe admin queue`; within ten seconds it is asked again.",
	],
	carrier_failing: [
		"warning",
		"See what the carrier says of itself; what waits goes other ways where it may, and is tried again each minute.",
	],
	credential_suspect: ["warning", "Look into who uses the key, and rotate or revoke it."],
	webhook_endpoint_failed: [
		"warning",
		"Mend the receiver, enable the endpoint, and replay what it missed: `lethe webhooks enable`, `lethe webhooks replay`.",
	],
	queue_paused: ["info", "Resume the queue once its reason is gone."],
	queue_draining: ["info", "Resume the queue once its reason is gone."],
	webhook_endpoint_disabled: ["info", "Enable the endpoint once its reason is gone: `lethe webhooks enable`."],
	not_looked_at: ["critical", "See why it can't be read; until then nobody knows."],
} as const satisfies Record<string, readonly [Severity, string]>;

export const alertCodes = Object.keys(catalogue) as (keyof typeof catalogue)[];
type AlertCode = keyof typeof catalogue;

/** `about`: what it is about, a name or an opaque id. `since`: since when, epoch ms, where that is known. */
export type Alert = {
	code: AlertCode;
	severity: Severity;
	about?: string;
	/** Why, a code of ours, where there is more than one. */
	reason?: string;
	since?: number;
	mend: string;
};
type Raised = Pick<Alert, "code" | "about" | "reason" | "since"> & Partial<Pick<Alert, "mend">>;

export type AlertsDeps = Omit<KeyNeedsDeps, "store"> & {
	limits: { purgeLagMsMax: number; keyPeriods: KeyPeriods };
	checkpoints: Pick<Checkpoints, "standing">;
	/** When the certificate ends by which this process serves TLS, epoch ms; undefined where it serves none. */
	tlsCertificateEndsAt: () => number | undefined;
	/** Server that TLS is spoken with → when its certificate ends, epoch ms. */
	serverCertificateEnds: Record<string, () => Promise<number>>;
	/** Server → a call that throws while it can't be reached; `policies`: while what was published can't be used. */
	checks: Record<string, () => Promise<unknown>>;
	sendQueues: {
		failing: (names: readonly string[]) => Promise<Map<string, Failing>>;
		senderCount: (name: string) => Promise<number>;
	};
	/** How long ago each worker asked for work, ms. */
	runs: { workersSeen: () => Promise<number[]> };
	store: KeyNeedsDeps["store"] & {
		apiKeys: { findEnds: (tenantId: string) => Promise<{ _id: string; endsAt: number }[]> };
		cohorts: { oldestDue: (now: number) => Promise<Pick<Cohort, "_id" | "dueAt"> | undefined> };
		ledgerWaiting: { oldest: (itemsMax: number) => Promise<WaitingEntry[]> };
		messages: {
			findUnintegrated: (until: number, itemsMax: number) => Promise<Message[]>;
			findUnreadable: (itemsMax: number) => Promise<Pick<Message, "_id" | "tenantId">[]>;
			redactionDueSince: (sendQueue: string, itemsMax: number) => Promise<number | undefined>;
		};
		subjectRecords: {
			findAwaiting: (tenantId: string) => Promise<Pick<HoldRecord, "_id" | "recordedAt">[]>;
			findReviewDue: (tenantId: string, now: number) => Promise<Pick<HoldRecord, "_id" | "reviewAt">[]>;
		};
		subjectRequests: { findOpen: (tenantId: string, itemsMax: number) => Promise<OpenRequest[]> };
		parkedReceipts: { count: () => Promise<number> };
		sendQueues: { all: () => Promise<SendQueueDocument[]> };
		tenants: { all: () => Promise<Pick<TenantDocument, "_id">[]> };
		webhookEndpoints: { findDisabled: () => Promise<DisabledEndpoint[]> };
		evidence: {
			read: (start: number) => AsyncIterable<Bundle>;
			pageOf: (of: { about: string }, index: number, itemsMax: number) => Promise<Bundle[]>;
		};
	};
};

const suspectMs = 24 * 3600_000;
const suspectBundles = 64;
const serverCertificateMend =
	"Renew it at the server that `about` names, and have it serve that; where another authority signed it, put that into the server's _TLS_CA_FILE first. Where it is ours, of its _TLS_CERTIFICATE_FILE, renew that, and start the processes anew.";
const endedKeyMend = "Look into who still uses the key, and whence: it opens nothing any more.";

/**
 * The worst first. What concerns one tenant is told of `of` only; without it, of every tenant. Never throws: what can't be
 * looked at is an alert of its own.
 */
export async function findAlerts(
	deps: AlertsDeps,
	of?: { tenantId: string; sendQueues: readonly string[] },
): Promise<Alert[]> {
	const now = deps.clock();
	const ofTenants = async (look: (tenantId: string) => Promise<Raised[]>) => {
		const tenantIds = of ? [of.tenantId] : (await deps.store.tenants.all()).map(({ _id }) => _id);
		const raised: Raised[] = [];
		// One after the other: there may be many.
		for (const id of tenantIds) raised.push(...(await look(id)));
		return raised;
	};
	const looks: Record<string, () => Promise<Raised[]>> = {
		purge: () => latePurge(deps, now, of?.tenantId),
		messages: () => unreadableMessages(deps, of?.tenantId),
		ledger: () => lateLedger(deps, now),
		evidence: () => lookAtEvidence(deps, now),
		keys: () => overdueKeys(deps, now),
		versions: () => unneededVersions(deps),
		tls: async () => endingCertificate(deps.tlsCertificateEndsAt(), now),
		receipts: () => parkedReceipts(deps),
		redactions: () => lateRedactions(deps, now, of?.sendQueues),
		queues: () => stoppedQueues(deps, of?.sendQueues),
		carriers: () => failingCarriers(deps, of?.sendQueues),
		worker: () => absentWorker(deps),
		senders: () => absentSenders(deps, of?.sendQueues),
		webhooks: () => disabledEndpoints(deps, of?.tenantId),
		credentials: () => ofTenants((id) => suspectKeys(deps, id, now)),
		holds: () => ofTenants((id) => unapprovedHolds(deps, id, now)),
		reviews: () => ofTenants((id) => holdsToReview(deps, id, now)),
		requests: () => ofTenants((id) => dueRequests(deps, id, now)),
		...serverLooks(deps, now),
	};
	const raised = await Promise.all(
		Object.entries(looks).map(([about, look]) => look().catch((): Raised[] => [{ code: "not_looked_at", about }])),
	);
	return raised
		.flat()
		.map((one) => ({ mend: catalogue[one.code][1], ...one, severity: catalogue[one.code][0] }))
		.toSorted((one, other) => severities.indexOf(one.severity) - severities.indexOf(other.severity));
}

// Which cohort it is no tenant is told: it may be another's.
async function latePurge(
	{ store, limits: { purgeLagMsMax } }: AlertsDeps,
	now: number,
	of?: string,
): Promise<Raised[]> {
	const oldest = await store.cohorts.oldestDue(now);
	if (!oldest || now - oldest.dueAt <= purgeLagMsMax) return [];
	return [{ code: "purge_late", ...(of ? {} : { about: oldest._id }), since: oldest.dueAt + purgeLagMsMax }];
}

/** What is due of them is not done, nor told anywhere else. */
async function unreadableMessages({ store }: AlertsDeps, of?: string): Promise<Raised[]> {
	const found = await store.messages.findUnreadable(limits.unreadableItems);
	return found
		.filter(({ tenantId }) => of === undefined || tenantId === of)
		.map(({ _id: about }) => ({ code: "message_unreadable", about }));
}

async function lateLedger({ store }: AlertsDeps, now: number): Promise<Raised[]> {
	const [oldest] = await store.ledgerWaiting.oldest(1);
	return oldest && now - oldest.at > limits.ledgerLateMs ? [{ code: "ledger_late", since: oldest.at }] : [];
}

async function lookAtEvidence({ store, checkpoints }: AlertsDeps, now: number): Promise<Raised[]> {
	const raised: Raised[] = [];
	const { standing, witnessed } = await checkpoints.standing();
	if (!isSound(standing)) raised.push({ code: "evidence_not_as_witnessed", about: standing });
	if (standing === "ahead") {
		// The first that no checkpoint covers.
		for await (const { at } of store.evidence.read(witnessed ?? 0)) {
			if (now - at > limits.checkpointLateMs) raised.push({ code: "evidence_unpublished", since: at });
			break;
		}
	}
	const [oldest] = await store.messages.findUnintegrated(now - limits.checkpointLateMs, 1);
	if (oldest?.unintegratedSince !== undefined)
		raised.push({ code: "evidence_unintegrated", since: oldest.unintegratedSince });
	return raised;
}

function endingCertificate(endsAt: number | undefined, now: number): Raised[] {
	if (endsAt === undefined || endsAt - now > limits.tlsCertificateNoticeMs) return [];
	if (endsAt <= now) return [{ code: "tls_certificate_expired", since: endsAt }];
	return [{ code: "tls_certificate_expiring", since: endsAt - limits.tlsCertificateNoticeMs }];
}

/** Whether each server is there, and goes on to be: after its certificate's end nobody speaks to it any more. */
function serverLooks({ checks, serverCertificateEnds }: AlertsDeps, now: number) {
	const looks = Object.entries(checks).map(([about, check]) => {
		const failed: Raised = about === "policies" ? { code: "policies_unavailable" } : { code: "server_away", about };
		return [about, () => raisedBy(check, failed)] as const;
	});
	const certificates = Object.entries(serverCertificateEnds).map(([about, read]) => {
		const look = async () =>
			endingCertificate(await read(), now).map((one) => ({ ...one, about, mend: serverCertificateMend }));
		return [`tls ${about}`, look] as const;
	});
	return Object.fromEntries<() => Promise<Raised[]>>([...looks, ...certificates]);
}

async function overdueKeys({ keyVersions, limits: { keyPeriods } }: AlertsDeps, now: number): Promise<Raised[]> {
	const ages = await findKeyAges(keyVersions, keyPeriods, now);
	return ages
		.filter(({ overdue }) => overdue)
		.map(({ name, rotateBy }) => ({ code: "key_overdue", about: name, since: rotateBy }));
}

// Of the keys that every deployment has: each tenant's own doctor looks at, and `lethe keys list`.
async function unneededVersions(deps: AlertsDeps): Promise<Raised[]> {
	const found = await findEndableKeys(deps, deps.limits.keyPeriods, commonKeys);
	return found.map(({ name: about, since }) => ({ code: "key_version_unneeded", about, since }));
}

async function parkedReceipts({ store }: AlertsDeps): Promise<Raised[]> {
	return (await store.parkedReceipts.count()) > limits.receiptsParkedMax ? [{ code: "receipts_parked" }] : [];
}

// Of a queue that others use too: that its line does not move, and not since when one of theirs is in it.
async function lateRedactions({ store }: AlertsDeps, now: number, own?: readonly string[]): Promise<Raised[]> {
	const names = own ?? (await store.sendQueues.all()).map(({ _id }) => _id);
	const raised: Raised[] = [];
	for (const about of names) {
		const since = await store.messages.redactionDueSince(about, limits.redactionPageItems);
		if (since === undefined || now - since <= limits.redactionLateMs) continue;
		raised.push({ code: "redactions_late", about, ...(own ? {} : { since }) });
	}
	return raised;
}

async function unapprovedHolds({ store }: AlertsDeps, tenantId: string, now: number): Promise<Raised[]> {
	const awaiting = await store.subjectRecords.findAwaiting(tenantId);
	return awaiting
		.map(({ _id: about, recordedAt }) => ({ about, since: recordedAt + limits.holdApprovalLateMs }))
		.filter(({ since }) => since <= now)
		.map((late) => ({ code: "hold_unapproved", ...late }));
}

async function holdsToReview({ store }: AlertsDeps, tenantId: string, now: number): Promise<Raised[]> {
	const due = await store.subjectRecords.findReviewDue(tenantId, now);
	return due.map(({ _id: about, reviewAt: since }) => ({
		code: "hold_review_due",
		...withoutUndefined({ about, since }),
	}));
}

/** What its own reminders say, whether they were raised or not; what is late is not called due as well. */
async function dueRequests({ store }: AlertsDeps, tenantId: string, now: number): Promise<Raised[]> {
	const open = await store.subjectRequests.findOpen(tenantId, limits.requestAlertsItems);
	return open.flatMap((request) => {
		const standing = reminders(request).filter(({ at }) => at <= now);
		const raised = standing.map(({ code, at }) => ({ ...ofReminder[code], about: request._id, since: at }));
		const late = raised.filter(({ code }) => code === "request_late").map(({ reason }) => reason);
		return raised.filter(({ code, reason }) => code !== "request_due" || !late.includes(reason));
	});
}

const ofReminder: Record<ReminderCode, Pick<Raised, "code" | "reason">> = {
	acknowledge_soon: { code: "request_due", reason: "acknowledge" },
	acknowledge_late: { code: "request_late", reason: "acknowledge" },
	answer_soon: { code: "request_due", reason: "answer" },
	answer_late: { code: "request_late", reason: "answer" },
	decision_due: { code: "request_decision_due" },
};

async function stoppedQueues({ store }: AlertsDeps, own?: readonly string[]): Promise<Raised[]> {
	const queues = (await store.sendQueues.all()).filter(({ _id }) => own === undefined || own.includes(_id));
	return queues.flatMap(({ _id: about, paused, draining }): Raised[] => {
		if (paused) return [{ code: "queue_paused", about }];
		return draining ? [{ code: "queue_draining", about }] : [];
	});
}

/** The servers may all be well, and nobody at work. */
async function absentWorker({ runs }: AlertsDeps): Promise<Raised[]> {
	return (await runs.workersSeen()).length === 0 ? [{ code: "worker_absent" }] : [];
}

async function absentSenders(deps: AlertsDeps, own?: readonly string[]): Promise<Raised[]> {
	return (await findUnattended(deps, own)).map((about) => ({ code: "sender_absent", about }));
}

/** What its sender can't mend, and what may mend itself. */
async function failingCarriers({ store, sendQueues }: AlertsDeps, own?: readonly string[]): Promise<Raised[]> {
	const names = own ?? (await store.sendQueues.all()).map(({ _id }) => _id);
	const failing = await sendQueues.failing(names);
	return [...failing].map(([about, { code: reason, since }]) => ({
		code: reason && isLasting(reason) ? "queue_unusable" : "carrier_failing",
		about,
		...withoutUndefined({ reason, since }),
	}));
}

async function disabledEndpoints({ store }: AlertsDeps, tenantId?: string): Promise<Raised[]> {
	const disabled = await store.webhookEndpoints.findDisabled();
	return disabled
		.filter((endpoint) => tenantId === undefined || endpoint.tenantId === tenantId)
		.map(({ _id: about, disabledFor, disabledAt: since }) => ({
			code: disabledFor === "command" ? "webhook_endpoint_disabled" : "webhook_endpoint_failed",
			about,
			...(since === undefined ? {} : { since }),
		}));
}

/** Keys of which something told of late that they may have leaked: once for each reason, since when it was first told. */
async function suspectKeys({ store }: AlertsDeps, tenantId: string, now: number): Promise<Raised[]> {
	const keys = await store.apiKeys.findEnds(tenantId);
	const raised: Raised[] = [];
	for (const { _id: about, endsAt } of keys) {
		if (endsAt <= now - limits.apiKeyEndedMs) continue;
		// By the key and not by its tenant, whose other entries would soon hide it; one after the other, for there may be many.
		const bundles = await store.evidence.pageOf({ about }, Number.MAX_SAFE_INTEGER, suspectBundles);
		const firstAt = new Map<string, number>();
		for (const entry of bundles.flatMap(({ entries }) => entries.map(readEntry))) {
			if (entry?.type !== "credential_alert" || entry.about !== about || entry.code === undefined) continue;
			const at = Date.parse(entry.at);
			if (at > now - suspectMs) firstAt.set(entry.code, Math.min(at, firstAt.get(entry.code) ?? at));
		}
		// What is over needs no end.
		const mend = endsAt <= now ? { mend: endedKeyMend } : {};
		for (const [reason, since] of firstAt) raised.push({ code: "credential_suspect", about, reason, since, ...mend });
	}
	return raised;
}

async function raisedBy(check: () => Promise<unknown>, failed: Raised): Promise<Raised[]> {
	return check().then(
		() => [],
		() => [failed],
	);
}
