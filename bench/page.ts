// A secure link's page on a slow phone: what it weighs, and how long until its message can be read, beside a bare static page.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { magicNumber } from "../stack/carrier/magic.ts";
import { startChromium } from "../stack/chromium.ts";
import { spread } from "./measure.ts";

type Target = { apiUrl: string; apiKey: string; carrierUrl: string; carrierToken: string };
type Measured = { shownMs: number; readableMs: number; bytes: number };

// Slow 3G as browsers' own tools have it, and a processor a quarter as fast.
const network = { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 };
const cpuSlowdown = 4;
const to = magicNumber("delivered");
const pin = "8203x";
const text = "Your results are in. Please call the practice.";
const waitMsMax = 30_000;

/**
 * `ratio`: until a message without a PIN can be read, over a static page that holds it: both from the tap on the link, with
 * the tap on the page's button at once. `pinRatio`: the same with a PIN, which is stretched on the phone.
 */
export async function pageSuite(target: Target, { rounds }: { rounds: number }) {
	const browser = await startChromium();
	const plain = createServer((_request, response) => {
		response.setHeader("content-type", "text/html; charset=utf-8");
		response.end(`<!doctype html><html lang="en"><title>A message</title><p id="text">${text}</p></html>`);
	});
	await new Promise<void>((resolve) => void plain.listen(0, "127.0.0.1", resolve));
	const bare = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
	const seen: Record<"bare" | "link" | "pin", Measured[]> = { bare: [], link: [], pin: [] };
	try {
		for (let round = 0; round < rounds; round++) {
			seen.bare.push(await measure(browser, bare, undefined));
			seen.link.push(await measure(browser, await send(target, undefined), ""));
			seen.pin.push(await measure(browser, await send(target, pin), pin));
		}
	} finally {
		await browser.close();
		plain.close();
	}
	const median = (kind: keyof typeof seen, name: keyof Measured) => spread(seen[kind].map((one) => one[name])).median;
	const describe = (kind: keyof typeof seen) => ({
		bytes: median(kind, "bytes"),
		shownMs: median(kind, "shownMs"),
		readableMs: median(kind, "readableMs"),
	});
	return {
		suite: "page",
		rounds,
		throttle: { ...network, cpuSlowdown },
		bare: describe("bare"),
		withoutPin: describe("link"),
		withPin: describe("pin"),
		ratio: median("link", "readableMs") / median("bare", "readableMs"),
		pinRatio: median("pin", "readableMs") / median("bare", "readableMs"),
	};
}

/** From the tap on a link. @param given what is entered; undefined where there is nothing to tap on */
async function measure(browser: Browser, url: string, given: string | undefined): Promise<Measured> {
	const context = await browser.newContext({ viewport: { width: 360, height: 640 } });
	try {
		const page = await context.newPage();
		await throttle(page);
		let bytes = 0;
		page.on("requestfinished", async (request) => {
			const { responseBodySize, responseHeadersSize } = await request.sizes();
			bytes += responseBodySize + responseHeadersSize;
		});
		const startedAt = performance.now();
		await page.goto(url, { waitUntil: "commit" });
		await page.locator(given === undefined ? "#text" : "form").waitFor();
		const shownMs = performance.now() - startedAt;
		if (given) await page.locator("#pin").fill(given);
		if (given !== undefined) await page.getByRole("button").click();
		await page.locator("#text", { hasText: text }).waitFor();
		return { shownMs, readableMs: performance.now() - startedAt, bytes };
	} finally {
		await context.close();
	}
}

async function throttle(page: Page): Promise<void> {
	const session = await page.context().newCDPSession(page);
	await session.send("Network.enable");
	await session.send("Network.emulateNetworkConditions", network);
	await session.send("Emulation.setCPUThrottlingRate", { rate: cpuSlowdown });
}

/** A message by link; answers the link as the carrier was handed it. */
async function send(target: Target, withPin: string | undefined): Promise<string> {
	const before = (await readLedger(target)).length;
	const answer = await fetch(`${target.apiUrl}/v1/messages`, {
		method: "POST",
		headers: { authorization: `Bearer ${target.apiKey}`, "content-type": "application/json" },
		body: JSON.stringify({ to, body: text, category: "transactional", deliver: "secure_link", pin: withPin }),
	});
	if (answer.status !== 202) throw new Error(`not accepted: ${await answer.text()}`);
	const until = performance.now() + waitMsMax;
	while (performance.now() < until) {
		const url = /http\S+$/.exec((await readLedger(target))[before]?.text ?? "")?.[0];
		if (url !== undefined) return url;
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	throw new Error("the carrier was handed no link");
}

/** What the carrier was handed for the number, in order. */
async function readLedger({ carrierUrl, carrierToken }: Target): Promise<{ text: string }[]> {
	const answer = await fetch(`${carrierUrl}/ledger/search`, {
		method: "POST",
		headers: { authorization: `Bearer ${carrierToken}`, "content-type": "application/json" },
		body: JSON.stringify({ to, limit: 1_000 }),
	});
	return ((await answer.json()) as { messages: { text: string }[] }).messages;
}
