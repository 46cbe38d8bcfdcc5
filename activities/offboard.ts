// Takes tenants out of service: ends their open messages, and once one that leaves has its export, destroys keys and records.

import type { MessageOutline } from "../adapters/mongo/messages.ts";
import type { Cohort, TenantDocument } from "../adapters/mongo/models.ts";
import type { ErasedRequest, StoredRequest } from "../adapters/mongo/subjectRequests.ts";
import type { Kept } from "../audit/certificate.ts";
import type { ActType } from "../domain/evidence.ts";
import { isFinal, openSince } from "../domain/lifecycle.ts";
import { limits } from "../domain/limits.ts";
import type { Message } from "../domain/message.ts";
import { recordKinds } from "../domain/subject.ts";
import { bare, isBare } from "../domain/subjectRequest.ts";
import type { TenantStanding } from "../domain/tenancy.ts";
import { abandon } from "../domain/transition.ts";
import { change } from "./change.ts";
import type { ActivityDeps } from "./deps.ts";
import { guarded } from "./guarded.ts";
import { issueCertificate } from "./issueCertificate.ts";

export type OffboardDeps = Pick<ActivityDeps, "clock" | "ids" | "log" | "certificates" | "subjectKeys" | "evidence"> & {
	store: Pick<
		ActivityDeps["store"],
		| "tenants"
		| "cohorts"
		| "messages"
		| "people"
		| "subjectRecords"
		| "subjectRequests"
		| "subjectExports"
		| "templates"
		| "apiKeys"
		| "issuers"
		| "identityProviders"
		| "webhookEndpoints"
		| "webhookDeliveries"
		| "verifications"
		| "certificates"
		| "spending"
	>;
	runs: Pick<ActivityDeps["runs"], "settleSoon" | "startPurge">;
	/** Deletes a final message's last trace, unless something keeps it. */
	deleteRecord: (message: Message) => Promise<unknown>;
};

type Standing<State extends TenantStanding["state"]> = Extract<TenantStanding, { state: State }>;
type Leaving = Standing<"leaving">;
type Pass = NonNullable<TenantDocument["pass"]>;

/**
 * Tends one page of tenants that are due, one page of messages each; every step may be repeated, by two workers at once and
 * after a kill. True when there is more to do at once.
 */
export function createOffboard(deps: OffboardDeps) {
	async function tendTenant(tenant: TenantDocument): Promise<boolean> {
		const { standing } = tenant;
		if (standing?.state !== "suspended" && standing?.state !== "leaving") {
			await lookAgain(deps, tenant, undefined);
			return false;
		}
		// Before it is tried: a failure keeps no other tenant from its turn.
		if (!(await lookAgain(deps, tenant, deps.clock() + limits.leavingCheckMs))) return false;
		if (standing.state === "suspended") return tendSuspended(deps, tenant, standing);
		if (standing.step === "ending") return tendEnding(deps, tenant, standing);
		return standing.step === "destroying" && tendDestroying(deps, tenant, standing);
	}

	return async function offboard(): Promise<boolean> {
		const due = await deps.store.tenants.findDue(deps.clock(), limits.sweepPageItems);
		let isMoreDue = false;
		for (const tenant of due) {
			await guarded(deps, async () => {
				if (!(await tendTenant(tenant))) return;
				await lookAgain(deps, tenant, deps.clock());
				isMoreDue = true;
			});
		}
		return isMoreDue;
	};
}

/** False when it stands elsewhere by now. */
function lookAgain({ store }: OffboardDeps, { _id, standing }: TenantDocument, at: number | undefined) {
	return store.tenants.setStanding(_id, standing, standing, at);
}

async function tendSuspended(
	deps: OffboardDeps,
	tenant: TenantDocument,
	standing: Standing<"suspended">,
): Promise<boolean> {
	if (standing.open === "end") {
		const pass = await endOpen(deps, tenant, standing);
		if (!pass) return true;
		// Until then one that was judged before may still come into the store.
		if (pass.startedAt < standing.since + limits.tenantSettleMs) return false;
	}
	await lookAgain(deps, tenant, undefined);
	return false;
}

async function tendEnding(deps: OffboardDeps, tenant: TenantDocument, standing: Leaving): Promise<boolean> {
	const pass = await endOpen(deps, tenant, standing);
	if (!pass) return true;
	if (pass.count > 0 || pass.startedAt < standing.since + limits.tenantSettleMs) return false;
	await deps.store.tenants.setStanding(tenant._id, standing, { ...standing, step: "exporting" });
	return false;
}

/** Ends what is open of a page, the unsent as cancelled, the rest as unknown. Answers the pass once it is over. */
async function endOpen(
	deps: OffboardDeps,
	tenant: TenantDocument,
	standing: TenantStanding,
): Promise<Pass | undefined> {
	const { messages } = deps.store;
	const now = deps.clock();
	const { pass, page, after } = await readPage(deps, tenant, standing, openSince(now));
	const open = page.filter(({ state }) => !isFinal(state));
	await Promise.all(
		open.map(async ({ _id }) => {
			const ended = await change(messages, _id, (current) => abandon(current, now));
			if (ended) deps.runs.settleSoon(ended.before);
		}),
	);
	return goOn(deps, tenant, { ...pass, count: pass.count + open.length }, after);
}

/** The next page of the pass over a tenant's messages that is under way, or of a new one. */
async function readPage(
	deps: OffboardDeps,
	{ _id, pass: known }: TenantDocument,
	{ since }: TenantStanding,
	oldest?: number,
) {
	const pass: Pass = known?.since === since ? known : { since, startedAt: deps.clock(), count: 0 };
	const of = { tenantId: _id, since: oldest, after: pass.place };
	return { pass, ...(await deps.store.messages.outlinePage(of, limits.tenantPageItems)) };
}

/** Has the next turn go on from there; answers the pass when that was its last page. */
async function goOn(
	deps: OffboardDeps,
	{ _id }: TenantDocument,
	pass: Pass,
	place: Pass["place"],
): Promise<Pass | undefined> {
	await deps.store.tenants.set(_id, { pass: place ? { ...pass, place } : null });
	return place ? undefined : pass;
}

async function tendDestroying(deps: OffboardDeps, tenant: TenantDocument, standing: Leaving): Promise<boolean> {
	const { _id: tenantId } = tenant;
	await endAccess(deps, tenantId);
	// One that was placed meanwhile keeps every record until it is released.
	const isHeld = await hasLiveHold(deps, tenantId);
	if (isHeld) await lookAgain(deps, tenant, deps.clock() + limits.heldCohortCheckMs);
	const cohorts = await deps.store.cohorts.findStanding(tenantId, limits.sweepPageItems);
	// A hold's key ends with the hold.
	const own = cohorts.filter(({ holdId }) => holdId === undefined);
	if (own.length > 0) await destroyCohorts(deps, own);
	if (isHeld || cohorts.length > 0) return false;
	const messages = await deleteMessages(deps, tenant, standing);
	if (messages === "more") return true;
	const done = [
		messages === "none",
		await deleteRecords(deps, tenantId),
		await endRequests(deps, tenantId),
		await deleteOwn(deps, tenantId),
	];
	if (done.includes(false)) return false;
	await deps.store.spending.deleteByTenant(tenantId);
	await deps.evidence.append([{ type: "subject_key_destroyed", tenantId, about: tenantId, by: "engine" }]);
	await deps.subjectKeys.destroySubjectKey(tenantId);
	const certificateId = await certifyLeft(deps, tenantId, standing.since);
	await deps.evidence.append([{ type: "tenant_left", tenantId, about: certificateId, by: "engine" }]);
	const left = { state: "left", since: standing.since, certificateId } as const;
	await deps.store.tenants.setStanding(tenantId, standing, left);
	return false;
}

async function hasLiveHold({ store: { subjectRecords } }: OffboardDeps, tenantId: string): Promise<boolean> {
	let after: { at: number; id: string } | undefined;
	for (;;) {
		const page = await subjectRecords.page(tenantId, "hold", limits.sweepPageItems, after);
		if (page.some(({ ended }) => !ended)) return true;
		const last = page.at(-1);
		if (page.length < limits.sweepPageItems || !last) return false;
		after = { at: last.recordedAt, id: last._id };
	}
}

/** Machines' ways in end before anything is destroyed; its people stay while a hold that they may release can keep it. */
async function endAccess({ store, evidence, clock, subjectKeys }: OffboardDeps, tenantId: string): Promise<void> {
	const enter = (type: ActType, about: string) => evidence.append([{ type, tenantId, about, by: "engine" }]);
	for (const { _id, revokedAt } of await store.apiKeys.findByTenant(tenantId)) {
		if (revokedAt !== undefined) continue;
		await enter("api_key_revoked", _id);
		await store.apiKeys.revoke(_id, clock());
	}
	for (const { _id } of await store.issuers.findByTenant(tenantId)) {
		await enter("issuer_removed", _id);
		await store.issuers.remove(_id);
	}
	for (const { _id } of await store.identityProviders.findByTenant(tenantId)) {
		await enter("identity_provider_removed", _id);
		await subjectKeys.removeCredential(_id);
		await store.identityProviders.remove(_id);
	}
}

// Each by the purge that every cohort ends with: erased page by page, read back, its key destroyed, certified.
async function destroyCohorts(deps: OffboardDeps, cohorts: Cohort[]): Promise<void> {
	const now = deps.clock();
	const some = cohorts.slice(0, limits.sweepPageItems);
	await deps.store.cohorts.endNow(
		some.map(({ _id }) => _id),
		now,
	);
	for (const { _id: cohortId, tenantId, region } of some) await deps.runs.startPurge({ cohortId, tenantId, region });
}

/**
 * Deletes the records of a page of messages. By its record alone can a carrier still be asked to forget: that stays until it
 * has, or its agreement has to do. `more` while the pass is under way, `none` when there was nothing to begin with.
 */
async function deleteMessages(
	deps: OffboardDeps,
	tenant: TenantDocument,
	standing: Leaving,
): Promise<"more" | "left" | "none"> {
	const { pass, page, after } = await readPage(deps, tenant, standing);
	const deleting = page.filter(isDeletable).map(({ _id }) =>
		// One that can't be read stays, and keeps no other.
		guarded(deps, async () => {
			const message = await deps.store.messages.find(_id);
			if (message) await deps.deleteRecord(message);
			return true;
		}),
	);
	const count = (await Promise.all(deleting)).filter(Boolean).length;
	const over = await goOn(deps, tenant, { ...pass, count: pass.count + count }, after);
	if (!over) return "more";
	if (page.length === 0 && pass.place === undefined) return "none";
	// What waits for its carrier only waits for long.
	if (over.count === 0) await lookAgain(deps, tenant, deps.clock() + limits.heldCohortCheckMs);
	return "left";
}

function isDeletable({ state, holds, carrierCopy }: MessageOutline): boolean {
	return isFinal(state) && holds.length === 0 && carrierCopy?.state !== "due";
}

/** Deletes what is on record of recipients, and who could sign in. True once nothing is left. */
async function deleteRecords(deps: OffboardDeps, tenantId: string): Promise<boolean> {
	const { people, subjectRecords } = deps.store;
	const pages = await Promise.all(
		recordKinds.map((kind) => subjectRecords.page(tenantId, kind, limits.sweepPageItems)),
	);
	const records = pages.flat();
	// One that was placed just now, as every other before.
	if (records.some((record) => record.kind === "hold" && !record.ended)) return false;
	for (const { _id } of records) await subjectRecords.delete(_id);
	for (const { _id, endedAt } of await people.findByTenant(tenantId)) {
		if (endedAt === undefined)
			await deps.evidence.append([{ type: "person_ended", tenantId, about: _id, by: "engine" }]);
		await people.delete(_id);
	}
	return records.length === 0;
}

/**
 * A request's record is kept for as long as the packs have it (11 CCR 7101, 45 CFR 164.316(b)(2), GDPR Art. 5(2)), with
 * nothing in it that leads to a person; what has no such time goes. True once that is done: an open one is answered first.
 */
async function endRequests(deps: OffboardDeps, tenantId: string): Promise<boolean> {
	const { subjectRequests, subjectExports } = deps.store;
	const now = deps.clock();
	let left = 0;
	await eachRequest(deps, tenantId, async (request) => {
		if (request.state === "erased" || !request.closed) return void left++;
		await subjectExports.eraseOf(request._id);
		if (request.eraseBy === undefined || request.eraseBy <= now) return subjectRequests.delete(request._id);
		if (isBare(request)) return;
		await subjectRequests.change(request._id, bare);
	});
	return left === 0;
}

async function eachRequest(
	{ store: { subjectRequests } }: OffboardDeps,
	tenantId: string,
	act: (request: StoredRequest | ErasedRequest) => Promise<void>,
): Promise<void> {
	let after: { at: number; id: string } | undefined;
	for (;;) {
		const page = await subjectRequests.page(tenantId, limits.sweepPageItems, after);
		for (const request of page) await act(request);
		const last = page.at(-1);
		if (page.length < limits.sweepPageItems || !last) return;
		after = { at: last.recordedAt, id: last._id };
	}
}

async function deleteWebhooks({ store, evidence }: OffboardDeps, tenantId: string): Promise<void> {
	for (const { _id } of await store.webhookEndpoints.findByTenant(tenantId)) {
		await evidence.append([{ type: "webhook_endpoint_deleted", tenantId, about: _id, by: "engine" }]);
		await store.webhookDeliveries.deleteOf(_id);
		await store.webhookEndpoints.delete(_id);
	}
}

/** Its texts, and its keys to this API; the ledger keeps that they were revoked. True once nothing is left. */
async function deleteOwn(deps: OffboardDeps, tenantId: string): Promise<boolean> {
	const { templates, apiKeys } = deps.store;
	await apiKeys.deleteByTenant(tenantId);
	await templates.deleteByTenant(tenantId);
	await deleteWebhooks(deps, tenantId);
	await deps.store.verifications.deleteOf(tenantId);
	return true;
}

/** One certificate for the key that gave its recipients their pseudonyms; each cohort has its own. */
async function certifyLeft(deps: OffboardDeps, tenantId: string, since: number): Promise<string> {
	const erasedAt = deps.clock();
	const id = deps.ids.derive("certificate", `${tenantId} left ${since}`);
	const objects = [{ object: "subject_key", erasedAt, keyDestroyedAt: erasedAt, verified: true }] as const;
	const kept = await keptOf(deps, tenantId, erasedAt);
	await issueCertificate(deps, { id, kind: "tenant", tenantId, about: tenantId, objects, kept, carrierCopies: [] });
	return id;
}

/** What stays when a tenant has left, why, and until when. None of it leads to a person: the pseudonyms' key is gone. */
async function keptOf(deps: OffboardDeps, tenantId: string, now: number): Promise<Kept[]> {
	const accountability = { citations: ["GDPR Art. 5(2)", "GDPR Art. 28(3)(h)"] };
	const kept: Kept[] = [
		{ object: "certificate", reason: "accountability", ...accountability },
		{ object: "evidence", reason: "accountability", ...accountability },
		// Its name, settings, and that it has left: whoever asks for it later is told so.
		{ object: "tenant", reason: "accountability", ...accountability },
		// That it has left, which keys were revoked and destroyed, what was erased: so that no restore undoes it.
		{ object: "ledger", reason: "restore", citations: ["GDPR Art. 5(1)(f)", "GDPR Art. 32(1)"] },
		{ object: "idempotent_answer", reason: "ends_by_itself", citations: [], until: now + limits.idempotencyKeptMs },
	];
	await eachRequest(deps, tenantId, async (request) => {
		if (request.state === "erased" || request.eraseBy === undefined) return;
		const { _id: recordId, decision, eraseBy: until } = request;
		kept.push({ object: "subject_request", reason: "request_log", citations: decision.citations, recordId, until });
	});
	return kept;
}
