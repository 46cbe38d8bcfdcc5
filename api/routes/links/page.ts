// The page of a secure link as HTML, in the reader's language: one document that loads nothing, whose script and style are known by hash.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Temporal } from "temporal-polyfill";
import { limits } from "../../../domain/limits.ts";
import type { LinkStanding } from "../../../domain/link.ts";
import type { LinkRecord } from "../../../domain/linkRecord.ts";
import type { Message } from "../../../domain/message.ts";

type Texts = Record<string, string> & { name: string; title: string };
type Shown = { message: Message; link: LinkRecord; standing: LinkStanding };

const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
const texts = JSON.parse(read("../../../page/texts.json")) as Record<string, Texts>;
// Comments are for whoever reads the source: a slow phone does without.
const script = read("../../../page/link.js")
	.replace(/^\s*(?:\/\/.*|\/\*\*.*\*\/)\n/gm, "")
	.replace(/^\t+/gm, "");
const style = read("../../../page/link.css").replace(/\s*\n\s*/g, "");
const rightToLeft = ["ar"];
const fallback = "en";
/** Sentences that the script says; the others are said by whoever makes the page. */
const said = [
	...["busy", "failed", "slower", "away", "short", "wrong_pin", "incomplete", "insecure", "unreadable", "damaged"],
	...["claimed", "read", "closed"],
];

const languages = Object.keys(texts);

/** Nothing but what stands in the page runs, and it asks nobody but the server that it came from. */
export const contentPolicy = [
	"default-src 'none'",
	`script-src '${hashOf(script)}'`,
	`style-src '${hashOf(style)}'`,
	...["connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
].join("; ");

/** The language that was asked for by name, or the best of those that a browser accepts (RFC 9110, 12.5.4). */
export function chooseLanguage(asked: string | undefined, accepted: string | undefined): string {
	if (asked !== undefined && languages.includes(asked)) return asked;
	const wanted = (accepted ?? "")
		.split(",")
		.slice(0, 20)
		.map((part) => {
			const [range = "", ...parameters] = part.trim().toLowerCase().split(";");
			const quality = parameters
				.map((text) => /^\s*q=([\d.]{1,5})$/.exec(text)?.[1])
				.find((text) => text !== undefined);
			return { language: range.split("-")[0] ?? "", quality: quality === undefined ? 1 : Number(quality) };
		});
	wanted.sort((a, b) => b.quality - a.quality);
	return wanted.find(({ language, quality }) => quality > 0 && languages.includes(language))?.language ?? fallback;
}

export function renderPage(shown: Shown, language: string): string {
	const text = texts[language] as Texts;
	const { link, standing } = shown;
	if (standing !== "open" && standing !== "claimed") {
		return renderDocument(text, language, { state: standing }, `<p>${escapeText(explain(shown, text, language))}</p>`);
	}
	const data = { state: standing, key: link.channel, iterations: link.pinRounds ?? 0 };
	const about = `<p>${escapeText(text.about ?? "")}</p>`;
	return renderDocument(text, language, data, renderOpen(text, link.pinRounds !== undefined), about);
}

/** A page that says one sentence: `unknown` where there is no such link, else when to come again. */
export function renderNotice(state: "unknown" | "slower" | "away", language: string): string {
	const text = texts[language] as Texts;
	return renderDocument(text, language, { state }, `<p>${escapeText(text[state] ?? "")}</p>`);
}

function renderDocument(
	text: Texts,
	language: string,
	state: Record<string, string | number>,
	main: string,
	about = "",
): string {
	const data = Object.entries(state)
		.map(([name, value]) => ` data-${name}="${value}"`)
		.join("");
	return [
		`<!doctype html><html lang="${language}" dir="${rightToLeft.includes(language) ? "rtl" : "ltr"}"><head><meta charset="utf-8">`,
		'<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">',
		`<link rel="icon" href="data:,"><title>${escapeText(text.title)}</title><style>${style}</style></head>`,
		`<body><main${data}><h1>${escapeText(text.title)}</h1>`,
		main,
		`</main><footer>${about}${renderLanguages(text, language)}</footer>`,
		`<script type="module">${script}</script></body></html>`,
	].join("\n");
}

function renderOpen(text: Texts, hasPin: boolean): string {
	const of = (name: string) => escapeText(text[name] ?? "");
	const field = [
		`<label for="pin">${of("pin")}</label><p id="hint">${of("hint")}</p>`,
		// Without a maxlength: it would cut the end off one that comes with a blank before it, and a wrong PIN would be counted.
		`<input id="pin" type="text" autocomplete="off" autocapitalize="none" autocorrect="off" spellcheck="false" required `,
		`minlength="${limits.pinCharactersMin}" aria-describedby="hint say" dir="ltr">`,
	].join("");
	return [
		// Stands there until the script has begun: also where it can't, for other reasons than a setting.
		`<p id="noscript">${of("noscript")}</p>`,
		`<form hidden novalidate><p>${of("once")}</p>${hasPin ? field : ""}<button>${of("show")}</button></form>`,
		'<p id="say" role="status"></p>',
		`<section id="message" hidden tabindex="-1" aria-label="${of("message")}"><p id="text" dir="auto"></p>`,
		`<p>${of("keep")}</p><button id="done" type="button">${of("done")}</button></section>`,
		`<ul hidden>${said.map((name) => `<li data-say="${name}">${of(name)}</li>`).join("")}</ul>`,
	].join("");
}

/** Why a link opens nothing any more, in a sentence or two. */
function explain({ message, link, standing }: Shown, text: Texts, language: string): string {
	const sentence = text[standing] ?? "";
	const at = standing === "erased" ? (message.retention.content?.erasedAt ?? link.expiresAt) : link.expiresAt;
	const date = new Intl.DateTimeFormat(language, { dateStyle: "long", timeZone: "UTC" }).format(at);
	const limit = standing === "erased" ? longest(message.decision.contentRetentionMax, language) : undefined;
	const told = sentence.replace("{date}", date);
	return limit === undefined ? told : `${told} ${(text.limit ?? "").replace("{limit}", limit)}`;
}

/** A duration of ISO 8601 in words. */
function longest(duration: string | undefined, language: string): string | undefined {
	return duration === undefined
		? undefined
		: Temporal.Duration.from(duration).toLocaleString(language, { style: "long" });
}

function renderLanguages({ languages: label = "" }: Texts, current: string): string {
	const links = languages.map((language) => {
		const isCurrent = language === current ? ' aria-current="true"' : "";
		const name = escapeText(texts[language]?.name ?? language);
		return `<li><a href="?lang=${language}" lang="${language}" hreflang="${language}"${isCurrent}>${name}</a></li>`;
	});
	return `<nav aria-label="${escapeText(label)}"><ul>${links.join("")}</ul></nav>`;
}

function escapeText(text: string): string {
	return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

function hashOf(text: string): string {
	return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
