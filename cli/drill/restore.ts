// The restore drill: a copy from before an opt-out, a hold, an erasure, a revocation and a delivery comes back.

import { randomBytes } from "node:crypto";
import type { Deps } from "../../deps.ts";
import { formatId } from "../../domain/ids.ts";
import { magicNumber } from "../../stack/carrier/magic.ts";
import { reapply } from "../restore/reapply.ts";
import { type Drilled, openStage, type Row, type Stage, toRow, waitFor, waitForFinal } from "./stage.ts";

type Played = { delivered: string; open: string[]; optedOut: string; held: string; revoked: string };

/** Plays it in `dir`, a folder of its own. @throws Error that says what did not come about */
export async function drillRestore(dir: string, say: (line: string) => void): Promise<Drilled> {
	const stage = await openStage(dir, say);
	try {
		const played = await playUntilCopy(stage);
		const sent = await playAfterCopy(stage, played);
		say("restoring the database from the copy");
		await stage.stopOwn();
		await stage.putBack("mongodb", "old");
		await stage.startOwn();
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
	const revoked = formatId("apiKey", randomBytes(16));
	await stage.asAdmin((deps) => addKey(deps, revoked, stage.tenantId));
	const beatOf = () => stage.asAdmin(async ({ stored }) => (await stored.epochs.read())?.beat ?? 0);
	await waitFor("the first beat", async () => (await beatOf()) > 0);
	await stage.copyOut("mongodb", "old");
	return { delivered, open, optedOut: fictional(7), held: fictional(8), revoked };
}

function addKey({ stored, clock }: Deps, id: string, tenantId: string): Promise<boolean> {
	const createdAt = clock();
	const about = { roles: ["sender"], name: "drill", createdAt, createdBy: "admin" };
	const secrets = [{ mac: id, macVersion: 1, createdAt }];
	return stored.apiKeys.insert({ _id: id, tenantId, secrets, ...about });
}

/** What the copy knows nothing of. Answers how many messages the carrier had in the end. */
async function playAfterCopy(stage: Stage, { open, optedOut, held, revoked }: Played): Promise<number> {
	const beatOf = () => stage.asAdmin(async ({ stored }) => (await stored.epochs.read())?.beat ?? 0);
	const copied = await beatOf();
	const must = async (path: string, body: object) => {
		const { status } = await stage.call("POST", path, body);
		if (status >= 300) throw new Error(`${path} was refused: ${status}`);
	};
	await must("/v1/opt-outs", { number: optedOut, scope: "all" });
	await must("/v1/holds", { scope: "subject", number: held, ground: "litigation" });
	await stage.asAdmin(({ store, clock }) => store.apiKeys.revoke(revoked, clock()));
	await stage.restart("sender");
	await waitForFinal(stage, open);
	await waitFor("a later beat", async () => (await beatOf()) > copied + 1);
	return (await stage.ledger()).total;
}

async function lookQuarantined(stage: Stage): Promise<Row[]> {
	const answer = await waitFor("an answer of the API", async () => {
		const { status, json } = await stage.call("GET", "/v1/messages?limit=1");
		return status > 0 && `${status} ${json.code ?? ""}`;
	});
	const send = await stage.call("POST", "/v1/messages", { to: fictional(1), body: "x", category: "transactional" });
	return [
		toRow("a restored store: reading is refused", answer, "503 quarantined"),
		toRow("a restored store: sending is refused", `${send.status} ${send.json.code}`, "503 quarantined"),
	];
}

async function restore(stage: Stage): Promise<Row[]> {
	const [standing, applied] = await stage.asAdmin(async (deps) => {
		const found = await deps.ledger.standing();
		const counts = await reapply(deps);
		await deps.ledger.begin();
		return [found, counts] as const;
	});
	await waitFor("the end of quarantine", async () => (await stage.call("GET", "/v1/messages?limit=1")).status === 200);
	return [
		toRow("the store is known to be behind the ledger", standing, "store_behind"),
		toRow("records applied again", applied.records, 2),
		toRow("revocations applied again", applied.revocations, 1),
		toRow("open messages ended as unknown", applied.unknown, 3),
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
	const keys = await stage.asAdmin(({ stored }) => stored.apiKeys.findByTenant(stage.tenantId));
	return [
		toRow("states of what was open in the copy", [...new Set(states)].join(), "unknown"),
		toRow("what was delivered before the copy", await stage.stateOf(played.delivered), "delivered"),
		toRow("a message to who opted out since", await tryOut(played.optedOut), "policy_denied"),
		toRow("a message to who was put on hold since", await tryOut(played.held), "policy_denied"),
		toRow(
			"the key that was revoked since",
			keys.find(({ _id }) => _id === played.revoked)?.revokedAt ? "revoked" : "alive",
			"revoked",
		),
		toRow("messages that the carrier has", total, sent),
		toRow("messages that the carrier got twice", repeatedReferences, 0),
	];
}
