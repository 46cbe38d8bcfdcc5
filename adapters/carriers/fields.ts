// What a send queue is given for its carrier: the forms that carriers share, and the one place where settings, sender and
// secrets are held against what their carrier declares.

import { z } from "zod";
import type { Fields, Manual } from "./carrier.ts";
import { isLoopback } from "./http.ts";

export type SecretHalf = "send" | "callback";

/** What a queue is made with; of secrets, those halves that are given. */
export type QueueGiven = {
	settings: Record<string, string>;
	sender: string;
	secrets: Partial<Record<SecretHalf, Record<string, string>>>;
};

export const nonEmpty = z.string().min(1).max(16_384);

const urlForm =
	"it must be an https:// address without credentials or fragment, of 2048 characters at most; http:// is for loopback only";

/** An address that our side calls, or has called. */
export const webUrl = z.string().refine(isWebUrl, { error: urlForm });

/** The setting by which a carrier is told with each message where its receipts go. */
export const callbackUrl = webUrl
	.optional()
	.describe(
		"where receipts are brought; without it to this deployment's own address of them, under `LETHE_PUBLIC_URL` where that is https",
	);

const senderForm = "it must be a number of 3 to 15 digits, or a name of 1 to 11 characters with a letter among them";

/** What most carriers take as a sender: a number with its country's prefix, a short code, or a name. */
export const numberOrName = z.string().refine(isNumberOrName, { error: senderForm });

const halves = { send: "secret, for sending,", callback: "secret, for callbacks," } as const;

/**
 * Refuses what the carrier can't work with.
 * @throws TypeError, code `not_configured`, that names what is unknown, missing or not of its form, and holds no part of a value
 */
export function refuseUnusable(manual: Manual, { settings, sender, secrets }: QueueGiven): void {
	refuseFields("setting", manual.settings, settings);
	refuseForm("sender", manual.sender, sender);
	const needed = missingSettings(manual, { settings, sender });
	if (needed.length > 0)
		throw unusable(`${needed.join(", ")}: missing, a setting that this carrier needs for this sender.`);
	for (const half of ["send", "callback"] as const) {
		const given = secrets[half];
		if (given) refuseSecrets(manual, half, given);
	}
	refuseUnlike(manual, secrets);
}

/** The same of one half of the secrets, as the process that uses it finds it. */
export function refuseSecrets(manual: Manual, half: SecretHalf, given: Record<string, string>): void {
	refuseFields(halves[half], manual.secrets[half], given);
	const missing = missingSecrets(manual, half, Object.keys(given));
	if (missing.length > 0) throw unusable(`${missing.join(", ")}: missing, a ${halves[half]} that this carrier needs.`);
}

/** Names of secrets that a carrier needs for this and that are not among those given; a choice is one name. */
export function missingSecrets(manual: Manual, half: SecretHalf, given: readonly string[]): string[] {
	const missing = required(manual.secrets[half]).filter((name) => !given.includes(name));
	const { sendBy } = manual;
	const isChosen = half !== "send" || !sendBy || sendBy.some((names) => names.every((name) => given.includes(name)));
	return isChosen ? missing : [...missing, (sendBy ?? []).map((names) => names.join(" and ")).join(", or ")];
}

/** Names of settings that the carrier needs for this sender and that are not given. */
export function missingSettings(
	manual: Manual,
	{ settings, sender }: Pick<QueueGiven, "settings" | "sender">,
): string[] {
	const needed = [...required(manual.settings), ...(manual.neededBy?.(sender) ?? [])];
	return needed.filter((name) => settings[name] === undefined);
}

/** Names of fields that must not be left out. */
export function required(fields: Fields): string[] {
	return Object.entries(fields.shape).flatMap(([name, form]) => (form.safeParse(undefined).success ? [] : [name]));
}

function refuseFields(what: string, fields: Fields, given: Record<string, string>): void {
	const names = Object.keys(fields.shape);
	for (const name of Object.keys(given)) {
		// A misspelt name would be found out by the first message only.
		if (names.includes(name)) continue;
		throw unusable(`${name} is no ${what} of this carrier. There are: ${names.join(", ") || "none"}.`);
	}
	for (const [name, form] of Object.entries(fields.shape)) {
		const value = given[name];
		if (value !== undefined) refuseForm(name, form, value);
		else if (!form.safeParse(undefined).success)
			throw unusable(`${name} is missing, a ${what} that this carrier needs: ${form.description}.`);
	}
}

function refuseForm(name: string, form: z.ZodType, value: string): void {
	const found = form.safeParse(value).error?.issues[0];
	// The library's own sentences may quote.
	if (found) throw unusable(`${name} can't be used: ${found.code === "custom" ? found.message : form.description}.`);
}

// What both halves have by one name is one secret: with only one of them in hand nobody could tell that they still agree.
function refuseUnlike(manual: Manual, secrets: QueueGiven["secrets"]): void {
	const { send = {}, callback = {} } = secrets;
	for (const name of Object.keys(manual.secrets.send.shape)) {
		if (!(name in manual.secrets.callback.shape) || send[name] === callback[name]) continue;
		throw unusable(`${name} must be the same in both halves: give {send, callback}, with it in either.`);
	}
}

function isWebUrl(address: string): boolean {
	if (address.length > 2048 || !URL.canParse(address)) return false;
	const { protocol, hostname, username, password, hash } = new URL(address);
	return (
		(protocol === "https:" || (protocol === "http:" && isLoopback(hostname))) && `${username}${password}${hash}` === ""
	);
}

export function isNumberOrName(sender: string): boolean {
	return /^(\+?\d{3,15}|(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11})$/.test(sender);
}

function unusable(message: string): TypeError {
	return Object.assign(new TypeError(message), { code: "not_configured" });
}
