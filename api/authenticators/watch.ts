// What is noticed of the use of credentials: when they were last used, and what tells that they may have leaked.

import type { ApiKeyDocument } from "../../adapters/mongo/models.ts";
import type { SeenNetwork } from "../../adapters/mongo/store.ts";
import { networkOf } from "../addresses.ts";
import type { ApiDeps } from "../deps.ts";
import type { Metrics } from "../metrics.ts";

/**
 * `superseded`: rotated out. `new_address`: from a network that it never came from, which is refused nothing.
 * `client_refused`: somebody asks for its tokens without what they are given for. `proof_invalid`: somebody shows its text
 * in place of a token that it is bound to a proof.
 */
export type Alert =
	| "revoked"
	| "expired"
	| "superseded"
	| "address_refused"
	| "new_address"
	| "signature_invalid"
	| "proof_invalid"
	| "client_refused";

export type WatchDeps = Pick<ApiDeps, "clock" | "hmac" | "evidence" | "log"> & {
	metrics: Pick<Metrics, "countCredentialAlert">;
	store: { apiKeys: Pick<ApiDeps["store"]["apiKeys"], "noteUse"> };
};

type Known = Pick<ApiKeyDocument, "_id" | "tenantId">;

// However often a leaked key is tried, it does not fill the log.
const alertEveryMs = 60_000;
const noteEveryMs = 60_000;
const networkEveryMs = 24 * 3600_000;
const rememberedMax = 20_000;
const never = Number.NEGATIVE_INFINITY;

export function createWatch(deps: WatchDeps) {
	const alerted = createTimes();
	const alerting = new Map<string, Promise<void>>();
	const noted = createTimes();
	const seen = createTimes();

	async function enter({ _id: about, tenantId }: Known, code: Alert, requestId: string): Promise<void> {
		const now = deps.clock();
		deps.log.warn({ requestId, about, code }, "credentials may have leaked");
		await deps.evidence.append([{ type: "credential_alert", code, tenantId, about, by: about }]);
		alerted.set(`${about} ${code}`, now);
	}

	/** Counts, and enters once a minute, for all that come at once. @throws LetheError store_unavailable */
	async function alert(known: Known, code: Alert, requestId: string): Promise<void> {
		deps.metrics.countCredentialAlert(code);
		const name = `${known._id} ${code}`;
		if (!alerted.isOlder(name, deps.clock() - alertEveryMs)) return;
		const entering = alerting.get(name) ?? enter(known, code, requestId).finally(() => alerting.delete(name));
		alerting.set(name, entering);
		await entering;
	}

	/**
	 * The network as a key's document is to have it; undefined where it has it so. One that is known under an older version
	 * of the hash's key is kept under the newest from then on.
	 */
	async function newNetwork(key: ApiKeyDocument, network: string): Promise<SeenNetwork | undefined> {
		const text = `from\n${key._id}\n${network}`;
		const { toStore, live } = await deps.hmac.macs("api-key", undefined, text);
		const before = key.seenFrom ?? [];
		const known = live.find(({ mac }) => before.includes(mac));
		if (known && known.version >= toStore.version) return undefined;
		return { mac: toStore.mac, instead: known?.mac };
	}

	/**
	 * Notes a use, once a minute and beside the request; from a new network before it is answered.
	 * @throws LetheError store_unavailable | keys_unavailable, with a new network only
	 */
	async function noteUse(key: ApiKeyDocument, address: string, requestId: string): Promise<void> {
		const now = deps.clock();
		const network = networkOf(address);
		// Now and again the hash is looked at too, whose key may have another version since.
		const name = `${key._id} ${network}`;
		const isKnown = !seen.isOlder(name, now - networkEveryMs);
		const added = isKnown ? undefined : await newNetwork(key, network);
		// Where it came from first is no news, and neither is what came from there meanwhile: of a moment ago the key, as it is
		// remembered, tells nothing yet.
		const isFirst = !key.seenFrom?.length && seen.isOlder(key._id, never);
		const isNews = added && !added.instead && !isFirst && seen.isOlder(name, never);
		seen.set(key._id, now);
		if (isNews) await alert(key, "new_address", requestId);
		if (!isKnown) seen.set(name, now);
		const isDue = noted.isOlder(key._id, now - noteEveryMs) && (key.lastUsedAt ?? 0) <= now - noteEveryMs;
		if (!isDue && !added) return;
		noted.set(key._id, now);
		deps.store.apiKeys.noteUse(key._id, now, added).catch(() => {
			deps.log.warn({ about: key._id, code: "store_unavailable" }, "use of a key not noted");
		});
	}

	return { alert, noteUse };
}

/** When something last was, for as many things as are remembered. */
function createTimes() {
	const times = new Map<string, number>();
	return {
		/** Also when nothing is known of it; with `never` only then. */
		isOlder: (key: string, than: number): boolean => (times.get(key) ?? never) <= than,
		set(key: string, at: number): void {
			times.delete(key);
			times.set(key, at);
			const [oldest] = times.keys();
			if (oldest !== undefined && times.size > rememberedMax) times.delete(oldest);
		},
	};
}
