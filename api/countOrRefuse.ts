// A limit that a route keeps by itself, with what it tells whoever came too often.

import type { RequestLimit } from "../adapters/redis/requestCounts.ts";
import { LetheError } from "../domain/errors.ts";
import type { ApiDeps } from "./deps.ts";

/** Counts one more of `key`. @throws LetheError rate_limited, with the seconds to wait */
export async function countOrRefuse(
	{ requestCounts }: Pick<ApiDeps, "requestCounts">,
	limit: RequestLimit,
	key: string,
): Promise<void> {
	const { allowed, resetMs } = await requestCounts.take(limit, key);
	if (!allowed) throw tooOften(resetMs);
}

export function tooOften(waitMs: number): LetheError {
	return new LetheError("rate_limited", { extra: { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) } });
}
