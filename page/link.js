// The page of a secure link: asks for the PIN, fetches what the link opens, decrypts it here, and shows it.
// It needs nothing but this file and the browser. adapters/linkSeal.ts has the other side of its keys.

const main = document.querySelector("main");
const [form, pin, say, section, text, done] = ["form", "#pin", "#say", "#message", "#text", "#done"].map((name) =>
	document.querySelector(name),
);
const pathId = location.pathname.split("/").pop();
const fragment = location.hash.slice(1);
const label = "lethe/link/v1/";
const utf8 = new TextEncoder();
const { subtle } = crypto;
const kept = `lethe ${pathId}`;
const answerMsMax = 30_000;
/** Where the browser keeps nothing, by its settings or in an app's own view of the web, this page does until it is left. */
let keptHere;

start();

function start() {
	// The whole link, put into this tab after a part of it, differs by its fragment alone: nothing would be loaded anew.
	addEventListener("hashchange", () => location.reload());
	// The switch of languages loads the page anew: the fragment has to come along.
	for (const link of document.querySelectorAll("nav a")) link.hash = location.hash;
	document.querySelector("#noscript")?.remove();
	const { state } = main.dataset;
	if (state !== "open" && state !== "claimed") return;
	if (!/^[\w-]{22}$/.test(fragment)) return tell("incomplete");
	if (!subtle) return tell("insecure");
	// One page holds what was opened: another tab, or another device, does not.
	if (state === "claimed" && !recall()) return tell("claimed");
	form.hidden = false;
	form.addEventListener("submit", (event) => {
		event.preventDefault();
		void run(show);
	});
	done.addEventListener("click", () => void run(letGo));
}

async function run(act) {
	const buttons = document.querySelectorAll("button");
	const held = document.activeElement;
	for (const button of buttons) button.disabled = true;
	tell("busy");
	try {
		await act();
	} catch {
		tell("failed");
	}
	for (const button of buttons) button.disabled = false;
	// A button that is disabled lets go of the focus.
	if (document.activeElement === document.body) held?.focus();
}

async function show() {
	// Blanks that a keyboard or a clipboard adds around it are none of it.
	const given = pin?.value.trim();
	if (pin && given.length < pin.minLength) {
		tell("short");
		return pin.focus();
	}
	const secret = pin ? await stretch(given) : new Uint8Array();
	const asked = await ask("open", secret);
	if (asked.state !== "opened") return refuse(asked);
	let plain;
	try {
		const { half, ciphertext } = asked.given;
		const key = await derive([decode(half), decode(fragment), secret], "content");
		plain = new TextDecoder("utf-8", { fatal: true }).decode(await open(key, ciphertext));
	} catch {
		// Changed on its way or where it was kept: nothing of it is shown, and the link stays with this page.
		return tell("damaged");
	}
	text.textContent = plain;
	// It has served: whoever takes the device over finds none.
	if (pin) pin.value = "";
	form.hidden = true;
	section.hidden = false;
	tell();
	section.focus();
}

/** Nobody can fetch it again; nothing of it stays here. */
async function letGo() {
	const { state } = await ask("confirm", new Uint8Array());
	if (state !== "read") return refuse({ state });
	text.textContent = "";
	section.hidden = true;
	keep(undefined);
	history.replaceState(null, "", location.pathname + location.search);
	for (const link of document.querySelectorAll("nav a")) link.hash = "";
	tell("read");
}

function refuse({ state, pinsLeft }) {
	if (state !== "wrong_pin") {
		// Why, and since when, the server says in words.
		if (!document.querySelector(`[data-say="${state}"]`)) return location.reload();
		// What is shown already stays; where nothing is, and it may yet go well, it is asked for again.
		form.hidden = !section.hidden || !["unreadable", "slower", "away"].includes(state);
		return tell(state);
	}
	tell("wrong_pin", pinsLeft);
	pin.setAttribute("aria-invalid", "true");
	pin.focus();
	pin.select();
}

/** One of the sentences that came with the page, in its language. */
function tell(name, count = "") {
	const found = name && document.querySelector(`[data-say="${name}"]`);
	say.textContent = found ? found.textContent.replace("{n}", count) : "";
}

/** Tells the server what is asked, encrypted for the key that it has for this link alone; the answer comes the same way. */
async function ask(act, secret) {
	const own = await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
	const theirs = await subtle.importKey(
		"raw",
		decode(main.dataset.key),
		{ name: "ECDH", namedCurve: "P-256" },
		false,
		[],
	);
	const shared = await subtle.deriveBits({ name: "ECDH", public: theirs }, own.privateKey, 256);
	const request = {
		act,
		session: session(),
		token: encode(await derive([decode(fragment)], "token")),
		...(secret.length > 0 && { proof: encode(await derive([decode(fragment), secret], "proof")) }),
	};
	const sealed = await seal(await derive([shared], "request"), utf8.encode(JSON.stringify(request)));
	const answer = await fetch(location.pathname, {
		method: "POST",
		headers: { "content-type": "application/json" },
		body: JSON.stringify({ key: encode(await subtle.exportKey("raw", own.publicKey)), sealed }),
		cache: "no-store",
		credentials: "omit",
		referrerPolicy: "no-referrer",
		// A line that hangs is given up for its reader to try again; older browsers wait as long as they do.
		signal: AbortSignal.timeout?.(answerMsMax),
	});
	const later = { 429: "slower", 503: "away" }[answer.status];
	if (later) return { state: later };
	const told = await answer.json();
	if (!told.state) throw new Error("no answer");
	if (!told.sealed) return told;
	const opened = await open(await derive([shared], "answer"), told.sealed);
	return { state: told.state, given: JSON.parse(new TextDecoder().decode(opened)) };
}

/** What shows that it is this page that asks again, as long as its tab is open. */
function session() {
	const secret = recall() ?? encode(crypto.getRandomValues(new Uint8Array(32)));
	keep(secret);
	return secret;
}

function recall() {
	try {
		return sessionStorage.getItem(kept) ?? keptHere;
	} catch {
		return keptHere;
	}
}

function keep(secret) {
	keptHere = secret;
	try {
		if (secret === undefined) sessionStorage.removeItem(kept);
		else sessionStorage.setItem(kept, secret);
	} catch {
		// Kept here alone.
	}
}

async function stretch(value) {
	const salt = await subtle.digest("SHA-256", utf8.encode(`${label}salt${pathId}`));
	const key = await subtle.importKey("raw", utf8.encode(value.normalize("NFKC")), "PBKDF2", false, ["deriveBits"]);
	const iterations = Number(main.dataset.iterations);
	return new Uint8Array(await subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations }, key, 256));
}

async function derive(parts, purpose) {
	const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
	const key = await subtle.importKey("raw", bytes, "HKDF", false, ["deriveBits"]);
	const [salt, info] = [utf8.encode(pathId), utf8.encode(label + purpose)];
	return new Uint8Array(await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt, info }, key, 256));
}

async function seal(bytes, plain) {
	const iv = crypto.getRandomValues(new Uint8Array(12));
	const sealed = await subtle.encrypt(gcm(iv), await gcmKey(bytes), plain);
	return encode(await new Blob([iv, sealed]).arrayBuffer());
}

async function open(bytes, sealed) {
	const all = decode(sealed);
	return subtle.decrypt(gcm(all.subarray(0, 12)), await gcmKey(bytes), all.subarray(12));
}

function gcm(iv) {
	return { name: "AES-GCM", iv, additionalData: utf8.encode(pathId) };
}

function gcmKey(bytes) {
	return subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

function encode(bytes) {
	const text = btoa(String.fromCharCode(...new Uint8Array(bytes)));
	return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decode(text) {
	return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}
