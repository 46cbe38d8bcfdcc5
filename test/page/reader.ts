// A recipient with a real browser: opens links on an API that listens, and notes all that goes over the network.

import { randomBytes } from "node:crypto";
import type { AddressInfo } from "node:net";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { carriedText } from "../../activities/carriedText.ts";
import { createLinkSeal } from "../../adapters/linkSeal.ts";
import type { LinkSettings } from "../../domain/linkRecord.ts";
import type { Message } from "../../domain/message.ts";
import { createTestApi } from "../api/harness.ts";

export type Reader = Awaited<ReturnType<typeof createReader>>;

/** What a carrier was handed, and what it can read of it. */
export type Sent = { id: string; sms: string; url: string; pathId: string; fragment: string };

export const text = "Ihr Befund: Borreliose negativ.\nBitte rufen Sie uns an. <b>نتيجتك سلبية</b>";
export const pin = "4f7-Ω2";
export const health = {
	category: "health",
	dataClasses: ["health"],
	lawfulBasis: undefined,
	context: { art9Condition: "9(2)(h)" },
	body: text,
	pin,
};

/** Needs MONGODB_URL and REDIS_URL. The policies are scripted: everything goes by link. */
export async function createReader(browser: Browser) {
	const api = await createTestApi();
	api.policy.script.decision = { deliveryMode: "secure_link", contentRetentionMax: "P30D" };
	await api.app.listen({ host: "127.0.0.1", port: 0 });
	const host = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`;
	const link: LinkSettings = { host, notice: "Praxis Dr. Anders: Nachricht für Sie." };
	const { tenantId, key } = await api.addTenant({ link });
	const opened: Page[] = [];

	/** From the API to the carrier: the text is composed as the sender does it. */
	async function send(more: object = health): Promise<Sent> {
		const { json, status } = await api.post(key, more);
		if (status !== 202) throw new Error(JSON.stringify(json));
		const message = await api.read(json.id);
		const sms = carriedText({ linkSeal: createLinkSeal({ randomBytes }) }, message, await contentOf(message)).reveal();
		await api.sent(json.id);
		const url = /http\S+$/.exec(sms)?.[0] ?? "";
		const [, pathId = "", fragment = ""] = /\/l\/([\w-]+)#([\w-]+)$/.exec(url) ?? [];
		return { id: json.id, sms, url, pathId, fragment };
	}

	/** A message's stored content under all keys of Vault's: what our own operator could read of it. */
	async function contentOf({ tenantId: owner, _id: messageId, content: sealed }: Message) {
		if (!sealed) throw new Error("there is no content");
		return api.encryptionFor.decrypt({ tenantId: owner, messageId, object: "content", sealed });
	}

	return {
		api,
		host,
		key,
		tenantId,
		send,
		contentOf,
		/** A page of its own, as another device. What it asks and is answered is noted. */
		async open(url: string, options: BrowserContextOptions = {}) {
			const context = await browser.newContext({ locale: "en", ...options });
			const page = await context.newPage();
			opened.push(page);
			const traffic = noteTraffic(page);
			await page.goto(url);
			return { page, context, traffic };
		},
		/** @param given null where none is asked for */
		show: async (page: Page, given: string | null = pin) => {
			if (given !== null) await page.locator("#pin").fill(given);
			await page.getByRole("button").click();
		},
		said: (page: Page, said: string) => page.locator("#say", { hasText: said }).waitFor(),
		view: async (id: string) => (await api.request(key, "GET", `/v1/messages/${id}`)).json,
		async close() {
			for (const page of opened) await page.context().close();
			await api.close();
		},
	};
}

/** Every request and answer of a page, headers and bodies, in clear: what a proxy that breaks TLS open would have. */
function noteTraffic(page: Page) {
	const noted: string[] = [];
	const urls: string[] = [];
	const errors: string[] = [];
	const answers: Promise<unknown>[] = [];
	page.on("request", (request) => {
		urls.push(request.url());
		noted.push(`${request.method()} ${withoutFragment(request.url())}`);
		noted.push(JSON.stringify(request.headers()), request.postData() ?? "");
	});
	page.on("response", (response) => {
		noted.push(JSON.stringify(response.headers()));
		answers.push(
			response.text().then(
				(body) => noted.push(body),
				() => undefined,
			),
		);
	});
	page.on("console", (message) => {
		if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
			errors.push(message.text());
	});
	page.on("pageerror", (error) => errors.push(error.message));
	return {
		urls,
		/** What the console said of scripts and of what the policy refused. */
		errors,
		async all(): Promise<string> {
			await Promise.all(answers);
			return noted.join("\n");
		},
	};
}

// Browsers never send it; DevTools tell it all the same.
function withoutFragment(url: string): string {
	return url.split("#")[0] ?? url;
}
