// The certificates that SNS signs with, fetched once each from SNS's own address and no other.

import { type KeyObject, X509Certificate } from "node:crypto";
import { request } from "undici";

/** What SNS names as its certificates' address; anything else is an attacker's. */
const fetchable =
	/^https:\/\/sns\.[a-z]{2,8}(-[a-z]{2,16}){1,3}-\d{1,2}\.amazonaws\.com(\.cn)?\/SimpleNotificationService-[0-9a-f]{32}\.pem$/;

const bounds = { keptMax: 8, bytesMax: 16 * 1024, waitMs: 10_000 };

/**
 * `keyOf` tells what is known; `fetch` makes one known and never rejects. Whoever can call us can name an address: only one
 * download is under way at a time, and one that failed is not repeated for a while.
 */
export function createSnsCertificates(deps: { clock: () => number }) {
	const keys = new Map<string, KeyObject>();
	const failedAt = new Map<string, number>();
	let underWay: Promise<void> | undefined;

	async function download(url: string, signal: AbortSignal): Promise<void> {
		try {
			keep(keys, url, readKey(await readText(url, signal), deps.clock()));
		} catch {
			// Whatever it was, the callback stays unverified, and SNS brings it again.
			keep(failedAt, url, deps.clock());
		}
	}

	return {
		keyOf: (url: string) => keys.get(url),
		async fetch(url: string, signal: AbortSignal): Promise<void> {
			if (!fetchable.test(url)) return;
			// In the order in which they were asked for: nobody who names others keeps one from its turn.
			while (underWay && !keys.has(url) && !signal.aborted) await underWay;
			const failed = failedAt.get(url);
			const isWorthIt = failed === undefined || deps.clock() - failed > bounds.waitMs;
			if (keys.has(url) || !isWorthIt || signal.aborted) return;
			underWay = download(url, signal).finally(() => {
				underWay = undefined;
			});
			await underWay;
		},
	};
}

/** The oldest makes room. */
function keep<T>(map: Map<string, T>, key: string, value: T): void {
	const [oldest] = map.keys();
	if (map.size >= bounds.keptMax && oldest !== undefined) map.delete(oldest);
	map.set(key, value);
}

async function readText(url: string, signal: AbortSignal): Promise<string> {
	const { statusCode, body } = await request(url, {
		signal,
		headersTimeout: bounds.waitMs,
		bodyTimeout: bounds.waitMs,
	});
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const chunk of body) {
		bytes += (chunk as Buffer).length;
		if (bytes > bounds.bytesMax) throw new RangeError("more than a certificate");
		chunks.push(chunk as Buffer);
	}
	if (statusCode !== 200) throw new RangeError("no certificate");
	return Buffer.concat(chunks).toString("latin1");
}

function readKey(pem: string, now: number): KeyObject {
	const { publicKey, validFromDate, validToDate } = new X509Certificate(pem);
	const isCurrent = validFromDate.getTime() <= now && now <= validToDate.getTime();
	if (!isCurrent || publicKey.asymmetricKeyType !== "rsa") throw new RangeError("no certificate of today");
	return publicKey;
}
