// Has a process hold every tenant's pseudonym key: a STOP that comes while Vault is away is then still known for whose it is.

import { limits } from "../domain/limits.ts";
import type { HmacKeys } from "./vault/hmacKeys.ts";

const inFlightMax = 8;

/** Reads them now and every quarter of an hour; answers what ends that. Never throws: the next turn reads what this one could not. */
export async function holdSubjectKeys(deps: {
	tenants: { all: () => Promise<{ _id: string }[]> };
	hmac: Pick<HmacKeys, "hold">;
	log: { warn: (fields: Record<string, unknown>, message: string) => void };
}): Promise<() => void> {
	async function hold(): Promise<void> {
		try {
			const ids = (await deps.tenants.all()).map(({ _id }) => _id);
			for (let start = 0; start < ids.length; start += inFlightMax) {
				// A tenant that has left has none.
				await Promise.allSettled(ids.slice(start, start + inFlightMax).map(deps.hmac.hold));
			}
		} catch (error) {
			deps.log.warn({ code: (error as { code?: string }).code ?? "internal" }, "pseudonym keys not read ahead");
		}
	}

	await hold();
	const timer = setInterval(() => void hold(), limits.subjectKeysEveryMs);
	timer.unref();
	return () => clearInterval(timer);
}
