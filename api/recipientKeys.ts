// Recipients' keys: registered by whoever shows that they open what is encrypted to them, replaced by newer ones, revoked.

import { LetheError } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import type { Ending, RecipientKeyRecord, TextVersion } from "../domain/subject.ts";
import type { ApiDeps } from "./deps.ts";
import { isAmong } from "./isAmong.ts";
import type { Principal } from "./plugins/auth.ts";
import { actOf } from "./plugins/evidence.ts";
import type { Subject } from "./subjects.ts";

export type RecipientKeysDeps = Pick<ApiDeps, "clock" | "ids" | "hmac" | "evidence" | "textSeal"> & {
	store: {
		subjectRecords: Pick<ApiDeps["store"]["subjectRecords"], "end" | "find" | "findBySubjects" | "insert">;
	};
};

export type Claimed = { x: string; version: TextVersion };

export function createRecipientKeys(deps: RecipientKeysDeps) {
	const { subjectRecords } = deps.store;
	const { makeAnswer, isAnswered } = createAnswers(deps);

	// The oldest key version's pseudonym: every process knows it, whatever version was added meanwhile.
	const idOf = ({ tenantId, macs }: Subject, { x, version }: Claimed) =>
		deps.ids.derive("recipientKey", JSON.stringify([tenantId, macs.at(-1), x, version]));

	/** The key's records, unless it was revoked: the same key never comes back. @throws LetheError recipient_key_revoked, too_many_records */
	async function readOwn(subject: Subject, claimed: Claimed): Promise<RecipientKeyRecord[]> {
		const { tenantId, macs } = subject;
		const all = (await subjectRecords.findBySubjects(macs)).filter((record) => record.tenantId === tenantId);
		const keys = all.filter((record) => record.kind === "recipient_key");
		if (hasEnded(keys, claimed.x, idOf(subject, claimed))) throw new LetheError("recipient_key_revoked");
		if (all.length >= limits.recordsPerSubjectMax) throw new LetheError("too_many_records");
		return keys;
	}

	/** @throws LetheError not_found, for another tenant's too */
	async function requireKey({ tenantId }: Principal, id: string): Promise<RecipientKeyRecord> {
		const record = await subjectRecords.find(id);
		if (record?.kind !== "recipient_key" || record.tenantId !== tenantId) throw new LetheError("not_found");
		return record;
	}

	async function endKey({ _id: id }: RecipientKeyRecord, by: Principal, source: "replaced" | "api"): Promise<void> {
		const now = deps.clock();
		const ended: Ending = { at: now, recordedAt: now, recordedBy: by.id, source };
		const eraseBy = now + limits.recipientKeyKeptMs;
		const kept = { eraseBy, nextCheckAt: eraseBy };
		await deps.evidence.append([actOf(by, "recipient_key_revoked", { about: id, code: source })]);
		// What waits for a key that was only replaced is not sent any more either once it is revoked.
		if (!(await subjectRecords.end(id, ended, kept)) && source === "api") {
			await subjectRecords.end(id, ended, kept, "replaced");
		}
	}

	return {
		/** What only the key's holder can answer. @throws LetheError as registering does */
		async challenge(subject: Subject, claimed: Claimed) {
			await readOwn(subject, claimed);
			const id = idOf(subject, claimed);
			const expiresAt = deps.clock() + limits.keyChallengeMs;
			const challenge = await deps.textSeal.challenge(claimed, id, await makeAnswer(id, expiresAt));
			return { id, challenge, expiresAt };
		},

		/**
		 * Registers a key once its challenge is answered, in the place of those of before; the same again is the same record.
		 * @throws LetheError challenge_failed, recipient_key_revoked, too_many_records
		 */
		async register(by: Principal, subject: Subject, claimed: Claimed, answer: string): Promise<RecipientKeyRecord> {
			const id = idOf(subject, claimed);
			if (!(await isAnswered(id, answer))) throw new LetheError("challenge_failed");
			const known = await readOwn(subject, claimed);
			const now = deps.clock();
			const record: RecipientKeyRecord = {
				...{ _id: id, kind: "recipient_key", tenantId: subject.tenantId, subjects: subject.macs },
				...claimed,
				...{ at: now, recordedAt: now, recordedBy: by.id },
			};
			const standing = known.find(({ _id }) => _id === id);
			if (!standing) {
				await deps.evidence.append([actOf(by, "recipient_key_registered", { about: id, code: claimed.version })]);
				await subjectRecords.insert(record);
			}
			// Should this die before, the newest counts already, and a repeat ends the others.
			for (const older of known) if (older._id !== id && !older.ended) await endKey(older, by, "replaced");
			return standing ?? record;
		},

		/** Nothing is encrypted to it any more, and what waits is not sent. Answers the record as it then is. */
		async revoke(principal: Principal, record: RecipientKeyRecord): Promise<RecipientKeyRecord> {
			await endKey(record, principal, "api");
			return requireKey(principal, record._id);
		},

		require: requireKey,
	};
}

// What a key was under another version ends when it goes over to this one, which may be registered again.
function hasEnded(keys: RecipientKeyRecord[], x: string, id: string): boolean {
	return keys.some((key) => key.x === x && key.ended) && !keys.some(({ _id, ended }) => _id === id && !ended);
}

/** Nothing is kept of a challenge: its answer says until when it counts, and only we can have made it. */
function createAnswers({ hmac, clock }: Pick<RecipientKeysDeps, "hmac" | "clock">) {
	const saidOf = (id: string, expiresAt: number) => `${id} ${expiresAt}`;
	return {
		makeAnswer: async (id: string, expiresAt: number): Promise<string> =>
			`${expiresAt.toString(36)}.${(await hmac.mac("code", undefined, saidOf(id, expiresAt))).mac}`,
		async isAnswered(id: string, answer: string): Promise<boolean> {
			const [, time = "", mac = ""] = /^([0-9a-z]{1,10})\.(\d{1,6}\.[\w-]{43})$/.exec(answer) ?? [];
			const expiresAt = Number.parseInt(time, 36);
			const macs = (await hmac.allMacs("code", undefined, saidOf(id, expiresAt))).map((one) => one.mac);
			return isAmong(macs, mac) && clock() < expiresAt;
		},
	};
}
