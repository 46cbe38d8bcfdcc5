// Takes tenants out of service: ends their open messages, and once one that leaves has its export, destroys keys and records.

import type { Cohort, TenantDocument } from "../adapters/mongo/models.ts";
import type { ErasedRequest, StoredRequest } from "../adapters/mongo/subjectRequests.ts";
import type { Kept } from "../audit/certificate.ts";
import type { ActType } from "../domain/evidence.ts";
import { isFinal } from "../domain/lifecycle.ts";
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

/** Tends one page of tenants that are due; every step may be repeated, by two workers at once and after a kill. */
export function createOffboard(deps: OffboardDeps) {
	async function tendTenant({ _id, standing }: TenantDocument): Promise<void> {
		const { tenants } = deps.store;
		if (standing?.state === "suspended") return tendSuspended(deps, _id, standing);
		if (standing?.state !== "leaving") return void (await tenants.setStanding(_id, standing, standing));
		// Before it is tried: a failure keeps no other tenant from its turn.
		await tenants.setStanding(_id, standing, standing, deps.clock() + limits.leavingCheckMs);
		if (standing.step === "ending") await tendEnding(deps, _id, standing);
		if (standing.step === "destroying") await tendDestroying(deps, _id, standing);
	}

	return async function offboard(): Promise<void> {
		const due = await deps.store.tenants.findDue(deps.clock(), limits.sweepPageItems);
		for (const tenant of due) await guarded(deps, () => tendTenant(tenant));
	};
}

async function tendSuspended(deps: OffboardDeps, tenantId: string, standing: Standing<"suspended">): Promise<void> {
	const now = deps.clock();
	if (standing.open === "end") await endOpen(deps, tenantId);
	const settled = now >= standing.since + limits.tenantSettleMs;
	const again = standing.open === "end" && !settled ? now + limits.leavingCheckMs : undefined;
	await deps.store.tenants.setStanding(tenantId, standing, standing, again);
}

async function tendEnding(deps: OffboardDeps, tenantId: string, standing: Standing<"leaving">): Promise<void> {
	const openCount = await endOpen(deps, tenantId);
	// Until then one that was judged before may still come into the store.
	if (openCount > 0 || deps.clock() < standing.since + limits.tenantSettleMs) return;
	await deps.store.tenants.setStanding(tenantId, standing, { ...standing, step: "exporting" });
}

/** Ends what is open, the unsent as cancelled, the rest as unknown. Answers how much it found. */
async function endOpen(deps: OffboardDeps, tenantId: string): Promise<number> {
	const { messages } = deps.store;
	const now = deps.clock();
	let count = 0;
	for await (const page of messages.openPages(tenantId, now)) {
		count += page.length;
		await Promise.all(
			page.map(async (message) => {
				const ended = await change(messages, message._id, (current) => abandon(current, now), message);
				if (ended) deps.runs.settleSoon(ended.before);
			}),
		);
	}
	return count;
}

async function tendDestroying(deps: OffboardDeps, tenantId: string, standing: Standing<"leaving">): Promise<void> {
	await endAccess(deps, tenantId);
	const standingCohorts = (await deps.store.cohorts.findByTenant(tenantId)).filter(
		({ state }) => state !== "destroyed",
	);
	if (standingCohorts.length > 0) return destroyCohorts(deps, standingCohorts);
	const done = [
		await deleteRecords(deps, tenantId),
		await endRequests(deps, tenantId),
		await deleteOwn(deps, tenantId),
	];
	if (done.includes(false)) return;
	await deps.store.spending.deleteByTenant(tenantId);
	await deps.evidence.append([{ type: "subject_key_destroyed", tenantId, about: tenantId, by: "engine" }]);
	await deps.subjectKeys.destroySubjectKey(tenantId);
	const certificateId = await certifyLeft(deps, tenantId, standing.since);
	await deps.evidence.append([{ type: "tenant_left", tenantId, about: certificateId, by: "engine" }]);
	const left = { state: "left", since: standing.since, certificateId } as const;
	await deps.store.tenants.setStanding(tenantId, standing, left);
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

/** Deletes messages' records, what is on record of recipients, and who could sign in. True once nothing is left. */
async function deleteRecords(deps: OffboardDeps, tenantId: string): Promise<boolean> {
	const { messages, people, subjectRecords } = deps.store;
	const page = await messages.page(tenantId, limits.sweepPageItems);
	// By its record alone can a carrier still be asked to forget: that stays until it has, or its agreement has to do.
	const ended = page.filter(({ state, carrierCopy }) => isFinal(state) && carrierCopy?.state !== "due");
	await Promise.all(ended.map(deps.deleteRecord));
	const pages = await Promise.all(
		recordKinds.map((kind) => subjectRecords.page(tenantId, kind, limits.sweepPageItems)),
	);
	const records = pages.flat();
	// A hold that was placed meanwhile keeps everything until it is released.
	if (records.some((record) => record.kind === "hold" && !record.ended)) return false;
	for (const { _id } of records) await subjectRecords.delete(_id);
	for (const { _id, endedAt } of await people.findByTenant(tenantId)) {
		if (endedAt === undefined)
			await deps.evidence.append([{ type: "person_ended", tenantId, about: _id, by: "engine" }]);
		await people.delete(_id);
	}
	return page.length === 0 && records.length === 0;
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
