// A tenant's leave: its open messages end, it gets its data, then its keys and records are destroyed by the worker, with proof.

import { access, constants } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { TenantDocument } from "../../adapters/mongo/models.ts";
import { makeFolder } from "../../adapters/onDisk.ts";
import type { Deps } from "../../deps.ts";
import { limits } from "../../domain/limits.ts";
import { removeIdentityProvider } from "../administer.ts";
import { createProgress } from "../progress.ts";
import { certificatePages, exportTenant, requestPages, writePages, writeWhole } from "./exportTenant.ts";

const pollMs = 1_000;
// Nothing having moved for so long, a hold or a server that is away keeps it.
const stillMsMax = 10 * 60_000;

/**
 * Goes as far as it can; run again, it goes on. The worker does the rest by itself, were this to die.
 * @throws Error with the mend when there is no such tenant, a hold keeps something of it, or nothing moves
 */
export async function leave(deps: Deps, tenantId: string, folder: string) {
	const found = await deps.store.tenants.find(tenantId);
	if (!found) throw new Error(`there is no tenant ${tenantId}. Correct its id.`);
	await refuseHeld(deps, tenantId);
	await refuseUnanswered(deps, tenantId);
	await requireFolder(folder);
	await begin(deps, found);
	const exporting = await until(deps, tenantId, "ending open messages", ({ standing }) => {
		return standing?.state !== "leaving" || standing.step !== "ending";
	});
	const { standing } = exporting;
	let exported: Awaited<ReturnType<typeof exportTenant>> | undefined;
	if (standing?.state === "leaving" && standing.step === "exporting") {
		await deps.evidence.append([{ type: "tenant_exported", tenantId, about: tenantId, by: "admin" }]);
		exported = await exportTenant(deps, exporting, folder);
		// Its credential is in Vault, where the worker has none.
		for (const { url } of await deps.store.identityProviders.findByTenant(tenantId)) {
			await removeIdentityProvider(deps, url);
		}
		const destroying = { ...standing, step: "destroying" } as const;
		await deps.store.tenants.setStanding(tenantId, standing, destroying, deps.clock());
	}
	const left = await until(deps, tenantId, "destroying keys", ({ standing }) => standing?.state !== "leaving");
	if (left.standing?.state !== "left")
		throw new Error(`${tenantId} was resumed meanwhile. Run this again to have it leave.`);
	const certificates = await writeCertificates(deps, tenantId, folder);
	return { tenantId, standing: "left", certificateId: left.standing.certificateId, certificates, folder, ...exported };
}

/** From then on its messages end: that there is nowhere to write what it is handed is known before. */
async function requireFolder(folder: string): Promise<void> {
	try {
		await makeFolder(folder);
		await access(folder, constants.W_OK);
	} catch (error) {
		const { code = "failed" } = error as { code?: string };
		throw new Error(`${folder} can't be written to (${code}). Name with --to a folder that this user may write to.`);
	}
}

async function begin(deps: Deps, { _id, standing }: TenantDocument): Promise<void> {
	if (standing?.state === "leaving" || standing?.state === "left") return;
	const now = deps.clock();
	await deps.evidence.append([{ type: "tenant_leaving", tenantId: _id, about: _id, by: "admin" }]);
	const leaving = { state: "leaving", since: now, step: "ending" } as const;
	if (await deps.store.tenants.setStanding(_id, standing, leaving, now)) return;
	throw new Error(`${_id} was changed by someone else meanwhile. Run this again.`);
}

/** What a court wants kept is not destroyed for a contract's end. */
async function refuseHeld(deps: Deps, tenantId: string): Promise<void> {
	const holds = await activeHolds(deps, tenantId);
	if (holds.length === 0) return;
	const some = holds.slice(0, 5).join(", ");
	throw new Error(`${holds.length} legal hold(s) keep something of ${tenantId}, ${some}. Have them released first.`);
}

/** What somebody has asked for, and the law has answered by a day, can't be answered once the data is gone. */
async function refuseUnanswered(deps: Deps, tenantId: string): Promise<void> {
	const open: string[] = [];
	for await (const page of requestPages(deps, tenantId)) {
		open.push(...page.filter((one) => one.state !== "erased" && !one.closed).map(({ _id }) => _id));
	}
	if (open.length === 0) return;
	const some = open.slice(0, 5).join(", ");
	const mend = "Answer and close them first: `lethe requests`.";
	throw new Error(`${open.length} request(s) of subjects of ${tenantId} are open, ${some}. ${mend}`);
}

/** What can't be read of a message may be mended: until then its record stays, and all that goes with the last of them. */
async function refuseUnread({ store }: Deps, tenantId: string): Promise<void> {
	const found = await store.messages.findUnreadable(limits.unreadableItems);
	const unread = found.filter((one) => one.tenantId === tenantId).map(({ _id }) => _id);
	if (unread.length === 0) return;
	const some = unread.slice(0, 5).join(", ");
	throw new Error(
		`the records of ${unread.length} message(s) of ${tenantId} can't be read, ${some}, and stay until they can. ` +
			"Put the `archive` of each back as a backup of MongoDB has it, and run this again.",
	);
}

async function activeHolds(deps: Deps, tenantId: string): Promise<string[]> {
	const active: string[] = [];
	let after: { at: number; id: string } | undefined;
	for (;;) {
		const page = await deps.store.subjectRecords.page(tenantId, "hold", limits.sweepPageItems, after);
		active.push(...page.filter(({ ended }) => !ended).map(({ _id }) => _id));
		const last = page.at(-1);
		if (page.length < limits.sweepPageItems || !last) return active;
		after = { at: last.recordedAt, id: last._id };
	}
}

/** Waits while it moves, and shows how far the keys are. */
async function until(
	deps: Deps,
	tenantId: string,
	what: string,
	isThere: (tenant: TenantDocument) => boolean,
): Promise<TenantDocument> {
	const progress = createProgress(what);
	let seen = "";
	let movedAt = deps.monotonic();
	for (;;) {
		const tenant = (await deps.store.tenants.find(tenantId)) as TenantDocument;
		const cohorts = await deps.store.cohorts.findByTenant(tenantId);
		const done = cohorts.filter(({ state }) => state === "destroyed").length;
		if (isThere(tenant)) {
			if (seen !== "") progress.show(done, cohorts.length);
			progress.end();
			return tenant;
		}
		progress.show(done, cohorts.length);
		const now = JSON.stringify([tenant.standing, tenant.pass, done, cohorts.length]);
		if (now !== seen) movedAt = deps.monotonic();
		seen = now;
		if (deps.monotonic() - movedAt > stillMsMax) {
			await refuseHeld(deps, tenantId);
			await refuseUnanswered(deps, tenantId);
			await refuseUnread(deps, tenantId);
			throw new Error(
				`nothing moves while ${what}: is the worker running, or is a carrier still to forget what it has? ` +
					"Run this again, it goes on where it stopped.",
			);
		}
		await sleep(pollMs);
	}
}

/** The certificates of its keys, and the public keys to check them with. Answers how many they are. */
async function writeCertificates(deps: Deps, tenantId: string, folder: string): Promise<number> {
	const cohorts = await deps.store.cohorts.findByTenant(tenantId);
	const abouts = [tenantId, ...cohorts.map(({ _id }) => _id)];
	async function* pages() {
		for (const about of abouts) {
			for await (const page of certificatePages(deps, tenantId, about)) {
				yield page.map(({ _id, kind, about, issuedAt, jws }) => ({ id: _id, kind, about, issuedAt, jws }));
			}
		}
	}
	const count = await writePages(join(folder, "certificates.jsonl"), pages());
	const keys = JSON.stringify(await deps.signer.publicJwks(), null, 2);
	await writeWhole(join(folder, "keys.json"), `${keys}\n`);
	return count;
}
