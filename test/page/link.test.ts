// A secure link in a real browser: who can open it, how often, and until when.

import assert from "node:assert/strict";
import { createCipheriv, createECDH, createHash, hkdfSync, pbkdf2Sync, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { createLinkSeal } from "../../adapters/linkSeal.ts";
import { LetheError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import { startChromium } from "../../stack/chromium.ts";
import { until } from "../harness/until.ts";
import { openAll, piecesOf } from "./attack.ts";
import { createReader, health, pin, type Reader, text } from "./reader.ts";

const day = 24 * 3600_000;

describe("a secure link", { timeout: 240_000 }, () => {
	let browser: Browser;
	let reader: Reader;

	before(async () => {
		browser = await startChromium();
		reader = await createReader(browser);
	});
	after(async () => {
		await reader?.close();
		await browser?.close();
	});

	const acts = async (id: string) =>
		(await reader.api.read(id)).evidence.map(({ type }) => type).filter((type) => type.startsWith("link_"));

	it("opens from the SMS on the page with the PIN, is read, and let go", async () => {
		const { id, url, sms, fragment } = await reader.send();
		assert.match(sms, /^Praxis Dr\. Anders: Nachricht für Sie\. http:\/\/127\.0\.0\.1:\d+\/l\/[\w-]{22}#[\w-]{22}$/);
		const { page, traffic } = await reader.open(url, { locale: "de-DE" });
		assert.equal(await page.title(), "Eine Nachricht für Sie");
		await reader.show(page);
		await page.locator("#message").waitFor();
		assert.equal(await page.locator("#text").textContent(), text);
		assert.equal((await reader.view(id)).link.state, "claimed");
		await page.getByRole("button", { name: "Ich habe sie gelesen" }).click();
		await reader.said(page, "geöffnet und freigegeben");
		assert.equal(await page.locator("#text").textContent(), "");
		assert.equal(new URL(page.url()).hash, "");
		const left = `[...document.querySelectorAll("input")].map(({ value }) => value).join() + document.body.outerHTML`;
		const rest = String(await page.evaluate(left));
		assert.ok(![pin, fragment].some((secret) => rest.includes(secret)), "neither PIN nor fragment stays");
		const seen = await reader.view(id);
		assert.equal(seen.link.state, "read");
		assert.deepEqual(await acts(id), ["link_opened", "link_read"]);
		assert.equal((await page.reload())?.status(), 410);
		// Nothing but the server that the page came from was asked, and the page's own policy refused nothing of it.
		assert.deepEqual([...new Set(traffic.urls.map((address) => new URL(address).origin))], [reader.host]);
		assert.deepEqual(traffic.errors, []);
	});

	it("takes a PIN with blanks around it, as keyboards and clipboards add them, on either side", async () => {
		const longest = "4f7-Ω2".repeat(2);
		assert.equal(longest.length, limits.pinCharactersMax);
		for (const [made, typed] of [
			[pin, ` ${pin} `],
			[`${pin} `, pin],
			[longest, ` ${longest} `],
		] as const) {
			const { id, url } = await reader.send({ ...health, pin: made });
			const { page } = await reader.open(url);
			await reader.show(page, typed);
			await page.locator("#message").waitFor();
			assert.equal((await reader.view(id)).link.wrongPins, 0);
		}
		const short = await reader.api.post(reader.key, { ...health, pin: "4f   " });
		assert.deepEqual([short.status, short.json.errors[0].pointer], [400, "/pin"]);
	});

	it("counts wrong PINs whoever enters them, and closes at the fifth; the message stays", async () => {
		const { id, url } = await reader.send();
		const pages = [await reader.open(url), await reader.open(url)];
		for (const left of [4, 3, 2, 1]) {
			const { page } = pages[left % 2] as (typeof pages)[number];
			await reader.show(page, "wrong");
			await reader.said(page, `Tries left: ${left}`);
		}
		const { page } = pages[0] as (typeof pages)[number];
		await reader.show(page, "1a2b");
		await reader.said(page, "This link was closed");
		assert.ok(await page.locator("form").isHidden());
		const other = (pages[1] as (typeof pages)[number]).page;
		await reader.show(other);
		await reader.said(other, "This link was closed");
		const { link, state } = await reader.view(id);
		assert.deepEqual([link.state, link.wrongPins, state], ["closed", limits.linkWrongPinsMax, "submitted"]);
		assert.ok((await reader.api.read(id)).content);
		assert.deepEqual(await acts(id), [...Array(5).fill("link_refused"), "link_closed"]);
		assert.equal((await page.reload())?.status(), 410);
		assert.match((await page.locator("main").textContent()) ?? "", /a wrong PIN was entered too often/);
	});

	it("is used up by no preview and no scanner, and opens once", async () => {
		const { id, url } = await reader.send();
		const bare = url.split("#")[0] as string;
		for (const method of ["GET", "HEAD", "OPTIONS"]) await fetch(bare, { method });
		const scanner = await reader.open(url);
		await scanner.page.waitForLoadState("networkidle");
		assert.equal((await reader.view(id)).link.state, "open");
		const first = await reader.open(url);
		await reader.show(first.page);
		await first.page.locator("#message").waitFor();
		await reader.show(scanner.page);
		await reader.said(scanner.page, "in another window or on another device");
		const late = await reader.open(url);
		await reader.said(late.page, "in another window or on another device");
		assert.deepEqual(await acts(id), ["link_opened"]);
	});

	it("counts what an address asks, by a keyed hash of it, and says when that was too often", async () => {
		const { id, url } = await reader.send();
		const { page } = await reader.open(url);
		const { take } = reader.api.requestCounts;
		const counted: string[] = [];
		reader.api.requestCounts.take = async (limit, of) => {
			if (limit.name !== "links") return take(limit, of);
			counted.push(of);
			return { allowed: false, counted: limit.requests + 1, remaining: 0, resetMs: 1_500 };
		};
		try {
			await reader.show(page);
			await reader.said(page, "too often");
			const refused = await fetch(url, { headers: { "accept-language": "de" } });
			assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "2"]);
			await assertPage(refused, /Das war zu oft\. Warten Sie eine Minute/);
			assert.equal(counted.length, 2);
			for (const of of counted) assert.match(of, /^\d+\.[\w-]{43}$/);
			assert.equal((await reader.view(id)).link.state, "open");
		} finally {
			reader.api.requestCounts.take = take;
		}
		await reader.show(page);
		await page.locator("#message").waitFor();
	});

	it("while the store or its keys are away a page says so, in the reader's language, and nothing is used up", async () => {
		const { id, url } = await reader.send();
		const { page } = await reader.open(url);
		const { findByLink } = reader.api.store.messages;
		reader.api.store.messages.findByLink = async () => {
			throw new LetheError("store_unavailable");
		};
		try {
			const away = await fetch(url, { headers: { "accept-language": "fr" } });
			assert.deepEqual([away.status, away.headers.get("retry-after")], [503, "1"]);
			await assertPage(away, /ne peut pas être récupéré en ce moment/);
			await reader.show(page);
			await reader.said(page, "can't be fetched just now");
		} finally {
			reader.api.store.messages.findByLink = findByLink;
		}
		assert.equal((await reader.view(id)).link.state, "open");
		await reader.show(page);
		await page.locator("#message").waitFor();
		await page.locator("#done").click();
		await reader.said(page, "has been let go");
	});

	/** A document of ours, kept by nobody, whose policy is that of every page of a link. */
	async function assertPage(answer: Response, says: RegExp): Promise<void> {
		const headers = Object.fromEntries(answer.headers);
		assert.match(String(headers["content-type"]), /^text\/html/);
		assert.match(String(headers["content-security-policy"]), /script-src 'sha256-/);
		assert.deepEqual([headers["cache-control"], headers["referrer-policy"]], ["no-store", "no-referrer"]);
		assert.match(await answer.text(), says);
	}

	it("says that it can't be opened while a hold keeps it from use, and opens when that is over", async () => {
		const { id, url } = await reader.send();
		const before = await reader.open(url);
		const { state } = await reader.api.read(id);
		const change = { id, from: [state] };
		await reader.api.store.messages.transition({ ...change, set: { restrictedBy: ["hld_a"] } });
		const told = /can't be opened at present\. Please ask its sender/;
		await reader.show(before.page);
		await before.page.getByText(told).waitFor();
		assert.ok((await before.page.locator("form").count()) === 0);
		const page = await fetch(url);
		assert.equal(page.status, 409);
		await assertPage(page, told);
		await reader.api.store.messages.transition({ ...change, set: { restrictedBy: [] } });
		await before.page.reload();
		await reader.show(before.page);
		await before.page.locator("#message").waitFor();
		assert.deepEqual(await acts(id), ["link_opened"]);
	});

	it("a PIN that was stretched by other rounds than new ones still opens its link", async () => {
		const { create } = reader.api.linkSeal;
		reader.api.linkSeal.create = createLinkSeal({ randomBytes, pinRounds: 1_000 }).create;
		const { url } = await reader.send().finally(() => {
			reader.api.linkSeal.create = create;
		});
		const { page } = await reader.open(url);
		await reader.show(page);
		await page.locator("#message").waitFor();
		assert.equal(await page.locator("#text").textContent(), text);
	});

	it("is let go by nobody who did not open it, whoever knows the link", async () => {
		const { id, url, pathId, fragment } = await reader.send();
		const { link } = await reader.api.read(id);
		const asked = askOnce(Buffer.from(link?.channel as string, "base64url"), pathId, {
			...{ act: "confirm", session: randomBytes(32).toString("base64url") },
			token: Buffer.from(
				hkdfSync("sha256", Buffer.from(fragment, "base64url"), pathId, "lethe/link/v1/token", 32),
			).toString("base64url"),
		});
		const answer = await fetch(url, {
			method: "POST",
			headers: { "content-type": "application/json" },
			body: JSON.stringify(asked),
		});
		assert.deepEqual([answer.status, await answer.json()], [400, { state: "unreadable" }]);
		assert.equal((await reader.view(id)).link.state, "open");
		assert.deepEqual(await acts(id), []);
	});

	/** What a page sends, made by somebody who wrote their own. */
	function askOnce(channel: Uint8Array, pathId: string, request: object) {
		const own = createECDH("prime256v1");
		const key = own.generateKeys().toString("base64url");
		const shared = own.computeSecret(channel);
		const iv = randomBytes(12);
		const cipher = createCipheriv(
			"aes-256-gcm",
			Buffer.from(hkdfSync("sha256", shared, pathId, "lethe/link/v1/request", 32)),
			iv,
		).setAAD(Buffer.from(pathId));
		const sealed = [iv, cipher.update(JSON.stringify(request)), cipher.final(), cipher.getAuthTag()];
		return { key, sealed: Buffer.concat(sealed).toString("base64url") };
	}

	it("opens again to the page that holds it, until it lets go or its time is over", async () => {
		const { id, url } = await reader.send();
		const { page } = await reader.open(url);
		await reader.show(page);
		await page.locator("#message").waitFor();
		await page.reload();
		await reader.show(page, "wrong");
		await reader.said(page, "Tries left: 4");
		await reader.show(page);
		await page.locator("#message").waitFor();
		assert.deepEqual(await acts(id), ["link_opened", "link_refused", "link_opened"]);
		reader.api.time.offsetMs += limits.linkSessionMsMax;
		try {
			assert.equal((await page.reload())?.status(), 410);
			assert.equal((await reader.view(id)).link.state, "read");
		} finally {
			reader.api.time.offsetMs = 0;
		}
	});

	for (const [how, storage] of [
		["refuses to keep anything", "() => { throw new DOMException('denied', 'SecurityError'); }"],
		["has nothing to keep it in", "() => null"],
	] as const) {
		it(`opens, is read and let go in a browser that ${how}`, async () => {
			const { id, url } = await reader.send();
			const context = await browser.newContext({ locale: "en" });
			await context.addInitScript(`Object.defineProperty(window, "sessionStorage", { get: ${storage} })`);
			const page = await context.newPage();
			await page.goto(url);
			await reader.show(page, "wrong");
			await reader.said(page, "Tries left: 4");
			await reader.show(page);
			await page.locator("#message").waitFor();
			await page.locator("#done").click();
			await reader.said(page, "has been let go");
			assert.deepEqual(await acts(id), ["link_refused", "link_opened", "link_read"]);
			await context.close();
		});
	}

	it("opens in one of two tabs that ask at once", async () => {
		const { id, url } = await reader.send({
			...health,
			category: "transactional",
			dataClasses: ["contact"],
			pin: undefined,
		});
		const { page, context } = await reader.open(url);
		const other = await context.newPage();
		await other.goto(url);
		await Promise.all([reader.show(page, null), reader.show(other, null)]);
		const settled = (one: Page) => until(async () => (await one.locator("#say").textContent()) !== "One moment …");
		await Promise.all([settled(page), settled(other)]);
		const shown = await Promise.all([page, other].map((one) => one.locator("#message").isVisible()));
		assert.deepEqual(shown.sort(), [false, true]);
		assert.deepEqual(await acts(id), ["link_opened"]);
	});

	it("says when it has expired, and until when it was good", async () => {
		const { url } = await reader.send();
		const before = await reader.open(url);
		reader.api.time.offsetMs = 8 * day;
		try {
			await reader.show(before.page);
			// Who had it open already is told the same.
			await before.page.getByText(/valid until \w+ \d+, 20\d\d/).waitFor();
			assert.equal((await fetch(url)).status, 410);
		} finally {
			reader.api.time.offsetMs = 0;
		}
	});

	it("says after the purge that it was erased, when, and by which limit", async () => {
		const { id, url } = await reader.send();
		const before = await reader.open(url);
		const now = reader.api.clock();
		const set = { "retention.content.erasedAt": now };
		const { state } = await reader.api.read(id);
		await reader.api.store.messages.transition({ id, from: [state], set, unset: ["content"] });
		await reader.show(before.page);
		const told = /erased on \w+ \d+, 20\d\d, as the rules for its kind demand\. .* for 30 days at most/;
		await before.page.getByText(told).waitFor();
		assert.equal((await fetch(url)).status, 410);
	});

	it("shows nothing of a message that was changed, and lets no wrong fragment use it up", async () => {
		const { id, url, fragment } = await reader.send();
		const turned = [...fragment].reverse().join("");
		const stranger = await reader.open(url.replace(fragment, turned));
		await reader.show(stranger.page);
		await reader.said(stranger.page, "does not fit this message");
		const cut = await reader.open(url.slice(0, -3));
		await reader.said(cut.page, "The link is incomplete");
		assert.ok(await cut.page.locator("form").isHidden());
		assert.deepEqual(await acts(id), []);
		await tamper(id);
		const { page } = await reader.open(url);
		await reader.show(page);
		await reader.said(page, "changed on its way");
		assert.equal(await page.locator("#text").textContent(), "");
		assert.equal((await reader.view(id)).link.state, "claimed");
	});

	/** As somebody who holds our keys and writes to our store would. */
	async function tamper(id: string): Promise<void> {
		const message = await reader.api.read(id);
		const stored = JSON.parse((await reader.contentOf(message)).reveal());
		const bytes = Buffer.from(stored.ciphertext, "base64url");
		bytes[bytes.length - 20] = (bytes[bytes.length - 20] as number) ^ 1;
		const plaintext = Plaintext.text(JSON.stringify({ ...stored, ciphertext: bytes.toString("base64url") }));
		const { tenantId, content } = message;
		const place = { tenantId, messageId: id, object: "content", cohortId: content?.cohortId as string, plaintext };
		const sealed = await reader.api.encryptionFor.encrypt(place);
		await reader.api.store.messages.transition({ id, from: [message.state], set: { content: sealed } });
	}

	it("opens once the whole link is put into the tab that had a part of it", async () => {
		const { id, url } = await reader.send();
		const { page } = await reader.open(url.slice(0, -3));
		await reader.said(page, "The link is incomplete");
		await page.goto(url);
		await reader.show(page);
		await page.locator("#message").waitFor();
		assert.deepEqual(await acts(id), ["link_opened"]);
	});

	it("gives a line up that hangs, and opens at the next try", async () => {
		const { id, url } = await reader.send();
		const context = await browser.newContext({ locale: "en" });
		await context.addInitScript(
			"const { timeout } = AbortSignal; AbortSignal.timeout = (ms) => timeout.call(AbortSignal, self.isPatient ? ms : ms / 100)",
		);
		const page = await context.newPage();
		await page.goto(url);
		await page.route(/\/l\//, () => undefined);
		await reader.show(page);
		await reader.said(page, "Check your connection and try again");
		await page.unroute(/\/l\//);
		// A slow machine answers late, too.
		await page.evaluate("self.isPatient = true");
		await reader.show(page);
		await page.locator("#message").waitFor();
		assert.deepEqual(await acts(id), ["link_opened"]);
		await context.close();
	});

	it("without JavaScript says what it needs, and uses nothing up", async () => {
		const { id, url } = await reader.send();
		const { page } = await reader.open(url, { javaScriptEnabled: false });
		assert.ok(await page.locator("#noscript", { hasText: "Nothing was used up" }).isVisible());
		assert.ok(await page.locator("form").isHidden());
		assert.equal((await reader.view(id)).link.state, "open");
	});

	it("speaks five languages, and keeps the fragment when they are switched", async () => {
		const { url, fragment } = await reader.send();
		const { page } = await reader.open(url, { locale: "fr-CA" });
		assert.equal(await page.locator("html").getAttribute("lang"), "fr");
		await page.getByRole("link", { name: "العربية" }).click();
		await page.locator("html[lang=ar][dir=rtl]").waitFor();
		assert.equal(new URL(page.url()).hash, `#${fragment}`);
		await reader.show(page);
		await page.locator("#message").waitFor();
		assert.equal(await page.locator("#text").textContent(), text);
	});

	it("breaks no rule of WCAG 2.2 AA in any state, light or dark, in either direction", async () => {
		const { url } = await reader.send();
		const { page } = await reader.open(url, { bypassCSP: true });
		const check = async (state: string) => {
			for (const lang of ["en", "ar"]) {
				// The same state in another direction: what stands there is turned, not asked for anew.
				await page.evaluate(`document.documentElement.dir = "${lang === "ar" ? "rtl" : "ltr"}"`);
				for (const colorScheme of ["light", "dark"] as const) {
					await page.emulateMedia({ colorScheme });
					const found = await violations(page);
					assert.deepEqual(found, [], `${state}, ${lang}, ${colorScheme}`);
				}
			}
		};
		await check("asked for the PIN");
		await reader.show(page, "wrong");
		await reader.said(page, "Tries left");
		await page.locator("#pin:focus").waitFor();
		await check("wrong PIN");
		await reader.show(page);
		await page.locator("#message").waitFor();
		await check("shown");
		await page.locator("#done").click();
		await reader.said(page, "has been let go");
		await check("let go");
		await page.goto(`${reader.host}/l/AAAAAAAAAAAAAAAAAAAAAA?lang=ar`);
		await check("unknown");
		assert.equal(await page.locator("html").getAttribute("lang"), "ar");
	});

	describe("against whoever has some of its parts", () => {
		/** The PIN as it goes into the key: what somebody would get who guessed it. */
		const stretched = (pathId: string) => {
			const salt = createHash("sha256").update(`lethe/link/v1/salt${pathId}`).digest();
			return pbkdf2Sync(pin.normalize("NFKC"), salt, limits.pinIterationsMin, 32, "sha256");
		};
		/** One reading, and all that anybody could have kept of it. */
		async function readOnce() {
			const sent = await reader.send();
			const { page, traffic } = await reader.open(sent.url);
			await reader.show(page);
			await page.locator("#message").waitFor();
			await page.locator("#done").click();
			await reader.said(page, "has been let go");
			const message = await reader.api.read(sent.id);
			const ours = (await reader.contentOf(message)).reveal();
			return { ...sent, message, ours, traffic: await traffic.all(), document: JSON.stringify(plain(message)) };
		}
		let seen: Awaited<ReturnType<typeof readOnce>>;
		const opens = (pieces: Buffer[]) => openAll(seen.pathId, pieces).filter((found) => found.includes("Borreliose"));

		before(async () => {
			seen = await readOnce();
		});

		it("all parts together open it: the attempt is one that can succeed", () => {
			const { sms, ours, pathId } = seen;
			const found = opens([...piecesOf(sms, ours), stretched(pathId)]);
			assert.deepEqual(found, [text]);
		});

		it("the carrier's whole ledger and all traffic read nothing, even with the PIN guessed afterwards", () => {
			const { sms, traffic, pathId } = seen;
			assert.ok(traffic.includes('"sealed"'));
			assert.deepEqual(openAll(pathId, [...piecesOf(sms, traffic), stretched(pathId)]), []);
			for (const part of ["Borreliose", "Befund", pin]) assert.ok(!traffic.includes(part), part);
		});

		it("our store and all keys of Vault's read nothing once it was handed over, even with the PIN", () => {
			const { document, ours, pathId, message } = seen;
			assert.equal(message.link?.fragment, undefined);
			assert.deepEqual(opens([...piecesOf(document, ours), stretched(pathId)]), []);
			// Nor with what travelled between us and the page.
			assert.deepEqual(opens([...piecesOf(document, ours, seen.traffic), stretched(pathId)]), []);
		});

		it("a PIN can be tried on what we keep of it by nobody without the fragment", async () => {
			const { id, ours, pathId, fragment } = seen;
			const { pin: kept } = JSON.parse(ours);
			const isKept = async (...parts: Buffer[]) => {
				const proof = hkdfSync("sha256", Buffer.concat(parts), pathId, "lethe/link/v1/proof", 32);
				const said = `link ${id} ${Buffer.from(proof).toString("base64url")}`;
				return (await reader.api.hmac.allMacs("code", undefined, said)).some(({ mac }) => mac === kept.mac);
			};
			assert.ok(await isKept(Buffer.from(fragment, "base64url"), stretched(pathId)));
			assert.ok(!(await isKept(stretched(pathId))));
		});

		it("after the purge store, ledger, traffic and PIN read nothing together, nor does an old copy of the store", () => {
			const { document, sms, traffic, pathId, message } = seen;
			const { content: _, ...purged } = message;
			const known = [...piecesOf(sms, traffic), stretched(pathId)];
			assert.deepEqual(openAll(pathId, [...piecesOf(JSON.stringify(plain(purged))), ...known]), []);
			// The copy of before has the content as it was stored, whose cohort's key is destroyed.
			assert.deepEqual(openAll(pathId, [...piecesOf(document), ...known]), []);
		});

		it("the fragment is in no log, no header, no request and no document; the PIN and the path id in none of them", () => {
			const { fragment, pathId, document, traffic, ours } = seen;
			const logged = reader.api.logLines.join("");
			assert.ok(logged.includes("/l/:id"));
			for (const place of [logged, document, traffic, ours]) assert.ok(!place.includes(fragment));
			for (const place of [logged, document]) assert.ok(!place.includes(pathId));
			for (const place of [logged, document, traffic, ours]) assert.ok(!place.includes(pin));
		});
	});

	it("is one document under 30 kB, which nothing keeps and no other page may frame", async () => {
		const { url } = await reader.send();
		const answer = await fetch(url);
		const body = await answer.text();
		assert.ok(Buffer.byteLength(body) < 30_000, `${Buffer.byteLength(body)} bytes`);
		const headers = Object.fromEntries(answer.headers);
		assert.equal(headers["cache-control"], "no-store");
		assert.equal(headers["referrer-policy"], "no-referrer");
		const policy = String(headers["content-security-policy"]);
		assert.match(policy, /default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; connect-src 'self'/);
		assert.match(policy, /frame-ancestors 'none'/);
		assert.doesNotMatch(policy, /unsafe|https?:|\*/);
		assert.doesNotMatch(body, /(?:src|href)="(?!data:,|\?lang=)/);
	});
});

/** As JSON has it, bytes in base64url. */
function plain(value: unknown): unknown {
	if (value instanceof Uint8Array) return Buffer.from(value).toString("base64url");
	const bytes = (value as { buffer?: unknown } | null)?.buffer;
	if (bytes instanceof Uint8Array) return plain(bytes);
	if (Array.isArray(value)) return value.map(plain);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]));
}

async function violations(page: Page): Promise<string[]> {
	if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe.source);
	const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
	const found = await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(tags)} })`);
	const { violations: list } = found as { violations: { id: string; nodes: { html: string }[] }[] };
	return list.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
}
