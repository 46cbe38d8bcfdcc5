// The restore drill: a copy from before an opt-out, a hold, an erasure, a revocation and a delivery comes back.

import { randomBytes } from "node:crypto";
import type { Deps } from "../../deps.ts";
import { isSound } from "../../domain/evidence.ts";
import { formatId } from "../../domain/ids.ts";
import { magicNumber } from "../../stack/carrier/magic.ts";
import { judgeLog } from "../evidence/succeed.ts";
import { reapply } from "../restore/reapply.ts";
import { type Drilled, openStage, type Row, type Stage, toRow, waitFor, waitForFinal } from "./stage.ts";

type Given = { revoked: string; rotated: string; issuer: string; person: string };
type Played = { delivered: string; open: string[]; optedOut: string; held: string; given: Given };

/** Plays it in `dir`, a folder of its own. @throws Error that says what did not come about */
export async function drillRestore(dir: string, say: (line: string) => void): Promise<Drilled> {
	const stage = await openStage(dir, say);
	try {
		const played = await playUntilCopy(stage);
		const sent = await playAfterCopy(stage, played);
		say("restoring the database from the copy");
		// Lethe's processes live through it: what they remember of their store must do no harm to the other one.
		await stage.putBack("mongodb", "old");
		const rows = [...(await lookQuarantined(stage)), ...(await restore(stage)), ...(await look(stage, played, sent))];
		return { title: "Restore of an old copy of the database", passed: rows.every(({ ok }) => ok), rows };
	} finally {
		await stage.close();
	}
}

const fictional = (last: number) => `+1202555010${last}`;

async function playUntilCopy(stage: Stage): Promise<Played> {
	const delivered = await stage.send(magicNumber("delivered"), "Sent before the copy");
	await waitForFinal(stage, [delivered]);
	// Nobody sends now: what is accepted stays open.
	await stage.stop("sender");
	const open = await Promise.all([0, 1, 2].map((index) => stage.send(fictional(index), `Open at the copy ${index}`)));
	const given = await stage.asAdmin((deps) => give(deps, stage.tenantId));
	const beatOf = () => stage.asAdmin(async ({ stored }) => (await stored.epochs.read())?.beat ?? 0);
	await waitFor("the first beat", async () => (await beatOf()) > 0);
	await stage.copyOut("mongodb", "old");
	return { delivered, open, optedOut: fictional(7), held: fictional(8), given };
}

/** Two keys, an issuer and a person, all of which are taken something after the copy. */
async function give({ stored, people, clock }: Deps, tenantId: string): Promise<Given> {
	const [revoked, rotated] = [formatId("apiKey", randomBytes(16)), formatId("apiKey", randomBytes(16))];
	const createdAt = clock();
	const about = { tenantId, roles: ["sender"], name: "drill", createdAt, createdBy: "admin" };
	for (const _id of [revoked, rotated]) {
		await stored.apiKeys.insert({ ...about, _id, secrets: [{ mac: _id, macVersion: 1, createdAt }] });
	}
	const issuer = formatId("issuer", randomBytes(16));
	const trust = { url: `https://${issuer}.example`, audience: "drill", claim: "scope", mapping: [] };
	await stored.issuers.put({ ...trust, _id: issuer, tenantId, createdAt });
	const invited = { tenantId, login: issuer, name: "Drill", roles: ["sender" as const, "admin" as const] };
	return { revoked, rotated, issuer, person: (await people.invite("admin", invited)).id };
}

async function take({ stored, store, apiKeys, people, clock }: Deps, given: Given, tenantId: string): Promise<void> {
	await store.apiKeys.revoke(given.revoked, clock());
	const key = await stored.apiKeys.find(given.rotated);
	if (key) await apiKeys.rotate("admin", key, 0);
	await store.issuers.remove(given.issuer);
	await people.setRoles("admin", tenantId, given.person, ["sender"]);
}

/** What the copy knows nothing of. Answers how many messages the carrier had in the end. */
async function playAfterCopy(stage: Stage, { open, optedOut, held, given }: Played): Promise<number> {
	const beatOf = () => stage.asAdmin(async ({ stored }) => (await stored.epochs.read())?.beat ?? 0);
	const copied = await beatOf();
	const must = async (path: string, body: object) => {
		const { status } = await stage.call("POST", path, body);
		if (status >= 300) throw new Error(`${path} was refused: ${status}`);
	};
	await must("/v1/opt-outs", { number: optedOut, scope: "all" });
	await must("/v1/holds", { scope: "subject", number: held, ground: "litigation" });
	await stage.asAdmin((deps) => take(deps, given, stage.tenantId));
	await stage.restart("sender");
	await waitForFinal(stage, open);
	await waitFor("a later beat", async () => (await beatOf()) > copied + 1);
	return (await stage.ledger()).total;
}

async function lookQuarantined(stage: Stage): Promise<Row[]> {
	const answer = await waitFor("an answer of the API", async () => {
		const { status, json } = await stage.call("GET", "/v1/messages?limit=1");
		// Until the store has been looked at since it was away.
		return status > 0 && json.code !== "store_unavailable" && `${status} ${json.code ?? ""}`;
	});
	const send = await stage.call("POST", "/v1/messages", { to: fictional(1), body: "x", category: "transactional" });
	return [
		toRow("a restored store: reading is refused", answer, "503 quarantined"),
		toRow("a restored store: sending is refused", `${send.status} ${send.json.code}`, "503 quarantined"),
	];
}

async function restore(stage: Stage): Promise<Row[]> {
	const [standing, applied] = await stage.asAdmin(async (deps) => {
		const { standing: found } = await deps.ledger.life();
		const counts = await reapply(deps);
		await deps.ledger.begin();
		return [found, counts] as const;
	});
	await waitFor("the end of quarantine", async () => (await stage.call("GET", "/v1/messages?limit=1")).status === 200);
	const { successor } = await stage.asAdmin((deps) => judgeLog(deps, "restore"));
	const standingOf = () => stage.asAdmin(async ({ checkpoints }) => (await checkpoints.standing()).standing);
	await waitFor("a checkpoint of the log's successor", async () => isSound(await standingOf()));
	return [
		toRow("the store is known to be behind the ledger", standing, "store_behind"),
		toRow("records applied again", applied.records, 2),
		toRow("revocations applied again", applied.revocations, 2),
		toRow("rotated keys whose text ended again", applied.rotations, 1),
		toRow("people from whom it was taken again", applied.people, 1),
		toRow("open messages ended as unknown", applied.unknown, 3),
		toRow("the evidence log, which lacks signed entries, goes on as", successor.split("/").at(-1), "2"),
	];
}

async function look(stage: Stage, played: Played, sent: number): Promise<Row[]> {
	const states = await waitForFinal(stage, played.open);
	const tryOut = async (to: string) => {
		const body = { to, body: "x", category: "transactional", dataClasses: ["contact"], validFor: "PT1H" };
		return (await stage.call("POST", "/v1/messages", body)).json.code ?? "accepted";
	};
	const beatOf = () => stage.asAdmin(async ({ stored }) => (await stored.epochs.read())?.beat ?? 0);
	// The sweep has come by twice by then: whatever would drive a message on has had its turn.
	await waitFor("two beats of the new life", async () => (await beatOf()) > 2);
	const { total, repeatedReferences } = await stage.ledger();
	const [since] = await waitForFinal(stage, [await stage.send(magicNumber("delivered"), "Sent after the restore")]);
	return [
		toRow("states of what was open in the copy", [...new Set(states)].join(), "unknown"),
		toRow("what was delivered before the copy", await stage.stateOf(played.delivered), "delivered"),
		toRow("a message to who opted out since", await tryOut(played.optedOut), "policy_denied"),
		toRow("a message to who was put on hold since", await tryOut(played.held), "policy_denied"),
		toRow("a message that is sent after the restore", since ?? "none", "delivered"),
		...(await stage.asAdmin((deps) => lookAtGiven(deps, played.given))),
		toRow("messages that the carrier has", total, sent),
		toRow("messages that the carrier got twice", repeatedReferences, 0),
	];
}

async function lookAtGiven({ stored, clock }: Deps, { revoked, rotated, issuer, person }: Given): Promise<Row[]> {
	const isRevoked = (await stored.apiKeys.find(revoked))?.revokedAt !== undefined;
	const [text] = (await stored.apiKeys.find(rotated))?.secrets ?? [];
	const isOver = text?.endsAt !== undefined && text.endsAt <= clock();
	const isTrusted = (await stored.issuers.find(issuer)) !== undefined;
	const roles = (await stored.people.find(person))?.roles.join();
	return [
		toRow("the key that was revoked since", isRevoked ? "revoked" : "alive", "revoked"),
		toRow("the text of a key that was rotated out since", isOver ? "ended" : "alive", "ended"),
		toRow("the issuer that was removed since", isTrusted ? "trusted" : "unknown", "unknown"),
		toRow("roles of whom one was taken from since", roles ?? "none", "sender"),
	];
}
