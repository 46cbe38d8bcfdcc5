// Sessions and sign-in challenges in Redis, under keyed hashes and bound to them: whoever reads it can't use one, whoever writes to it can't make one somebody else's, and emptied it opens nothing.

import { LetheError } from "../../domain/errors.ts";
import type { Session } from "../../domain/person.ts";
import { isSame } from "../isSame.ts";
import type { PersonMacs } from "../personMacs.ts";
import type { ServerTls } from "../serverTls.ts";
import { createAttempts } from "./attempts.ts";
import { connectRedis } from "./connect.ts";

export type Sessions = ReturnType<typeof createSessions>;

type Options = { url: string; prefix: string; macs: Pick<PersonMacs, "one" | "all">; tls?: ServerTls | undefined };

/**
 * Its calls throw LetheError sessions_unavailable while Redis does not answer: nobody is signed in then; and
 * keys_unavailable. What Redis holds that was not put there by this counts as absent.
 */
export function createSessions(options: Options) {
	const { connection, connect } = connectRedis(options.url, { commandTimeout: 5_000, tls: options.tls });
	const attempts = createAttempts({ connection, prefix: options.prefix });
	const { bind, open } = createBinding(options.macs);
	const keyOf = (mac: string) => `${options.prefix}:session:${mac}`;
	const listOf = (personId: string) => `${options.prefix}:sessions:${personId}`;
	const challengeOf = (mac: string) => `${options.prefix}:challenge:${mac}`;

	async function ask<T>(call: () => Promise<T>): Promise<T> {
		await connect();
		try {
			return await call();
		} catch (error) {
			throw new LetheError("sessions_unavailable", { cause: { source: "redis", reason: (error as Error).name } });
		}
	}

	return {
		/** Keeps a session for `idleMs` after its last use. */
		async put(mac: string, session: Session, { idleMs, lifeMs }: { idleMs: number; lifeMs: number }): Promise<void> {
			const bound = await bind(keyOf(mac), session);
			const list = listOf(session.personId);
			await ask(async () => {
				const all = connection.multi().set(keyOf(mac), bound, "PX", idleMs);
				await all.sadd(list, mac).pexpire(list, lifeMs).exec();
			});
		},
		/** The session under one of these hashes, used just now. */
		async use(macs: readonly string[], idleMs: number): Promise<{ mac: string; session: Session } | undefined> {
			for (const mac of macs) {
				const found = await ask(() => connection.getex(keyOf(mac), "PX", idleMs));
				const session = await open<Session>(keyOf(mac), found);
				if (session) return { mac, session };
			}
			return undefined;
		},
		/** A person's sessions, with how long ago each was used. */
		async list(personId: string, idleMs: number) {
			const found: { mac: string; session: Session; idleForMs: number }[] = [];
			for (const mac of await ask(() => connection.smembers(listOf(personId)))) {
				const [text, leftMs] = await ask(() => Promise.all([connection.get(keyOf(mac)), connection.pttl(keyOf(mac))]));
				const session = await open<Session>(keyOf(mac), text);
				if (session?.personId !== personId) await ask(() => connection.srem(listOf(personId), mac));
				else found.push({ mac, session, idleForMs: Math.max(0, idleMs - leftMs) });
			}
			return found;
		},
		end: (personId: string, mac: string) =>
			ask(async () => void (await connection.multi().del(keyOf(mac)).srem(listOf(personId), mac).exec())),
		/** Remembers a challenge that was handed out, with what is to be known when it comes back. */
		async putChallenge(mac: string, lifeMs: number, about: object = {}): Promise<void> {
			const bound = await bind(challengeOf(mac), about);
			await ask(() => connection.set(challengeOf(mac), bound, "PX", lifeMs));
		},
		/** What is known of one that was handed out under one of these hashes and not taken yet; once only. */
		async takeChallenge(macs: readonly string[]): Promise<Record<string, unknown> | undefined> {
			for (const mac of macs) {
				const found = await ask(() => connection.getdel(challengeOf(mac)));
				const about = await open<Record<string, unknown>>(challengeOf(mac), found);
				if (about) return about;
			}
			return undefined;
		},
		/** Counts a try before it is made; see `createAttempts`. */
		tryOnce: (...args: Parameters<typeof attempts.take>) => ask(() => attempts.take(...args)),
		forgive: (...args: Parameters<typeof attempts.forgive>) => ask(() => attempts.forgive(...args)),
		know: (...args: Parameters<typeof attempts.know>) => ask(() => attempts.know(...args)),
		isKnown: (...args: Parameters<typeof attempts.isKnown>) => ask(() => attempts.isKnown(...args)),
		close: async (): Promise<void> => connection.disconnect(),
	};
}

/** Ties a value to the key that it stands under, by a keyed hash of both before it. */
function createBinding(macs: Options["macs"]) {
	const textOf = (key: string, value: string) => `${key}\n${value}`;
	return {
		async bind(key: string, value: object): Promise<string> {
			const text = JSON.stringify(value);
			return `${await macs.one("kept", textOf(key, text))} ${text}`;
		},
		/** Undefined where there is none, or one that was not bound to this key. */
		async open<T>(key: string, stored: string | null): Promise<T | undefined> {
			if (stored === null) return undefined;
			const end = stored.indexOf(" ");
			const [mac, text] = [stored.slice(0, Math.max(0, end)), stored.slice(end + 1)];
			const isBound = (await macs.all("kept", textOf(key, text))).some((one) => isSame(mac, one));
			return isBound ? (JSON.parse(text) as T) : undefined;
		},
	};
}
