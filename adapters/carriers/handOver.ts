// Brings to the API what a carrier told on a connection of the sender's: the one place where receipts and inbound messages enter.

import { Pool } from "undici";
import type { ServerTls } from "../serverTls.ts";
import type { HandOver } from "./carrier.ts";

const timeoutMs = 10_000;
const connectionsMax = 64;

export type HandOvers = ReturnType<typeof createHandOvers>;

/**
 * Callbacks are sealed by the adapter that makes them, so the way to the API may be plain HTTP within a private network.
 * @param options `url`: the API as this process reaches it; `tls`: for one that asks callers for a certificate
 */
export function createHandOvers(options: { url: string; tls?: ServerTls | undefined }) {
	const { origin, pathname } = new URL(options.url);
	const waits = { headersTimeout: timeoutMs, bodyTimeout: timeoutMs };
	const pool = new Pool(origin, { connections: connectionsMax, ...waits, connect: { ...options.tls } });
	const prefix = pathname.replace(/\/$/, "");

	return {
		/** For one queue only: its name is in the address, its key in the seal. */
		to(carrier: string, sendQueue: string): HandOver {
			const path = `${prefix}/v1/callbacks/${carrier}/${encodeURIComponent(sendQueue)}/receipts`;
			return async ({ headers, body }) => {
				try {
					const signal = AbortSignal.timeout(timeoutMs);
					const answer = await pool.request({ method: "POST", path, headers, body, signal });
					await answer.body.dump();
					return answer.statusCode === 200;
				} catch {
					// Nothing was taken as far as this side knows.
					return false;
				}
			};
		},
		close: () => pool.destroy(),
	};
}
