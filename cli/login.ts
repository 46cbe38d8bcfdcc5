// `lethe login` and `lethe logout`: a person signs in for the commands that follow, or enrols by the token they were handed.

import { Command } from "commander";
import { type ErrorCode, errorCatalogue } from "../domain/errors.ts";
import { limits } from "../domain/limits.ts";
import { findPasswordFault, type PasswordFault } from "../domain/password.ts";
import { createAsk } from "./ask.ts";
import { addExample } from "./examples.ts";
import { listenOnLoopback } from "./loopback.ts";
import { callAt } from "./policy/call.ts";
import { exitCodes, Refusal, run } from "./run.ts";
import { readSession, writeSession } from "./session.ts";
import { apiUrl } from "./target.ts";

type Options = { url?: string; login?: string; enrol?: boolean; recovery?: boolean; sso?: string; json?: boolean };
type Session = { personId: string; roles: string[]; endsAt: string; token: string };
type Offer = { login: string; totp: { secret: string; uri: string } };
type Ask = ReturnType<typeof createAsk>["ask"];

// Enough for a code that was mistyped, and one that was over by the time that it came.
const codesMax = 5;

const faults: Record<PasswordFault, string> = {
	too_short: `it has fewer than ${limits.passwordCharactersMin} characters. Choose a longer one.`,
	too_long: `it has more than ${limits.passwordCharactersMax} characters. Choose a shorter one.`,
	guessable: "it is mostly made of what anybody would try first. Choose another one.",
};

export function loginCommand(): Command {
	return addExample(new Command("login"), "lethe login --login kim@example.com")
		.description("sign in as a person: the commands that follow act as you, until the session ends")
		.option("--login <name>", "your login name")
		.option("--enrol", "set up your password and authenticator app first, by the token from an administrator")
		.option(
			"--sso <issuer>",
			"sign in by your identity provider, in a browser on this machine; with --enrol, the first time",
		)
		.option("--recovery", "give a recovery code in place of one of the authenticator app")
		.option("--url <url>", "the API (default: the one running from this folder)")
		.option("--json", "print the session as JSON, and what is for you on standard error; its token stays in the file")
		.action((options: Options) =>
			run("login", async () => {
				const url = apiUrl(options);
				const { ask, close } = createAsk();
				try {
					const session = await begin(url, ask, options);
					const { token, ...shown } = session;
					writeSession(url, { token, endsAt: session.endsAt });
					console.log(options.json ? JSON.stringify(shown) : describe(session));
				} finally {
					close();
				}
				return exitCodes.yes;
			}),
		);
}

/** Exit 1 where nobody was signed in; 2 where the session may be open still. */
export function logoutCommand(): Command {
	return addExample(new Command("logout"), "lethe logout")
		.description("sign out, here and at the API")
		.option("--url <url>", "the API (default: the one running from this folder)")
		.option("--json", "print as JSON whether somebody was signed in")
		.action((options: Options) =>
			run("logout", async () => {
				const url = apiUrl(options);
				const token = readSession(url);
				if (token) await endSession(url, token);
				writeSession(url, undefined);
				const signedOut = token !== undefined;
				if (options.json) console.log(JSON.stringify({ signedOut }));
				else console.log(signedOut ? `signed out of ${url}` : `nobody was signed in at ${url}`);
				return signedOut ? exitCodes.yes : exitCodes.no;
			}),
		);
}

/** One that the API no longer knows is over. @throws Refusal where it may live on */
async function endSession(url: string, token: string): Promise<void> {
	try {
		await callAt({ url, bearer: token }, "/v1/session/end", {});
	} catch (error) {
		if (!(error instanceof Refusal)) throw error;
		if (error.status === 401) return;
		throw new Refusal(`${error.message} The session may be open still: run this again.`);
	}
}

function begin(url: string, ask: Ask, options: Options): Promise<Session> {
	if (options.sso !== undefined) return signInBySso(url, ask, { ...options, sso: options.sso });
	return options.enrol ? enrol(url, ask, options) : signIn(url, ask, options);
}

/** The browser goes to the provider and back to the API, which sends it here with a code for the session. */
async function signInBySso(
	url: string,
	ask: Ask,
	{ sso: issuer, enrol: isEnrolling }: Options & { sso: string },
): Promise<Session> {
	const enrolmentToken = isEnrolling ? (await ask("Enrolment token: ", { secret: true })).trim() : undefined;
	const loopback = await listenOnLoopback({ waitMs: limits.ssoLifeMs });
	try {
		const { port, challenge, verifier } = loopback;
		const before = readSession(url);
		// Whoever is signed in and comes again does so to show a second factor anew.
		const body = { issuer, fresh: before !== undefined, enrolmentToken, loopback: { port, challenge } };
		const offer = await post<{ url: string }>(url, "/v1/session/sso", body, before);
		console.error(`Open this in a browser on this machine:\n  ${offer.url}`);
		const brought = await loopback.brought;
		if (!brought) throw new Refusal("nobody came back within ten minutes. Run this again.");
		if ("error" in brought) throw new Refusal(explainRefusal(brought.error), exitCodes.no);
		return await post<Session>(url, "/v1/session/sso/complete", { code: brought.code, verifier });
	} finally {
		loopback.close();
	}
}

// What stands in the address came by a browser: a code of the catalogue, or nothing that is repeated.
function explainRefusal(told: string): string {
	const code: ErrorCode = Object.hasOwn(errorCatalogue, told) ? (told as ErrorCode) : "sso_failed";
	return `${code}: ${errorCatalogue[code].title}`;
}

async function signIn(url: string, ask: Ask, options: Options): Promise<Session> {
	const login = options.login ?? (await ask("Login name: "));
	const password = await ask("Password: ", { secret: true });
	const factor = options.recovery
		? { recoveryCode: await ask("Recovery code: ", { secret: true }) }
		: { code: await ask("Code of the authenticator app: ") };
	// The old session ends with the new one.
	return post<Session>(url, "/v1/session", { login, password, ...factor, as: "token" }, readSession(url));
}

async function enrol(url: string, ask: Ask, { json }: Options): Promise<Session> {
	const tell = json ? console.error : console.log;
	const token = (await ask("Enrolment token: ", { secret: true })).trim();
	const { login, totp } = await post<Offer>(url, "/v1/enrolment", { token });
	tell(`You are ${login}.`);
	const password = await ask("A password, twelve characters or more: ", { secret: true });
	// Before anything is set up for one that the API would refuse; it knows more words that it must not be made of.
	const fault = findPasswordFault(password, [login]);
	if (fault) throw new Refusal(`password_refused: ${faults[fault]} Run this again; the token is still good.`);
	tell(`Add this to an authenticator app:\n  ${totp.secret}\n  ${totp.uri}`);
	const { recoveryCodes, ...session } = await completeEnrolment(url, ask, { token, password });
	tell("Recovery codes, each good once with your password. Keep them; they are not shown again:");
	for (const one of recoveryCodes) tell(`  ${one}`);
	return session;
}

/** Asks anew for a code that does not hold: to run the command again makes what was just set up in the app void. */
async function completeEnrolment(
	url: string,
	ask: Ask,
	setUp: { token: string; password: string },
): Promise<Session & { recoveryCodes: string[] }> {
	for (let left = codesMax; ; left--) {
		const code = await ask("Code that the app shows: ");
		try {
			return await post(url, "/v1/enrolment/complete", { ...setUp, code, as: "token" });
		} catch (error) {
			const isOfCode =
				error instanceof Refusal && (error.status === 400 || error.message.startsWith("sign_in_failed:"));
			if (!isOfCode || left <= 1) throw error;
			console.error(error.message);
		}
	}
}

function describe({ personId, roles, endsAt }: Session): string {
	return `signed in as ${personId} (${roles.join(", ")}), until ${endsAt} at the latest`;
}

function post<Answer>(url: string, path: string, body: object, bearer?: string): Promise<Answer> {
	return callAt<Answer>({ url, bearer }, path, body);
}
