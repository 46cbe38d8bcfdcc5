// The command line as a shell sees it: help everywhere, misuse in one line with exit code 2, and no stack to speak to.

import assert from "node:assert/strict";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { demoKeyFor, urlsOf } from "../../cli/target.ts";
import type { StackState } from "../../stack/stackFile.ts";
import { credentialsOf } from "../adapters/vault/helper.ts";
import { makeClone } from "../harness/clone.ts";
import { bareEnvironment, root, run } from "../harness/programs.ts";

const commands = [
	[],
	["send"],
	["policy"],
	["policy", "decide"],
	...["explain", "list", "show", "diff", "test", "propose", "proposals"].map((name) => ["policy", name]),
	...["check", "simulate", "approve", "publish", "withdraw"].map((name) => ["policy", name]),
	...["list", "get", "keys"].map((name) => ["certificates", name]),
	["verify"],
	["canary"],
	["incident"],
	["incident", "scope"],
	["restore"],
	["drill"],
	["drill", "restore"],
	["drill", "forget"],
	["doctor"],
	["admin"],
	["evidence"],
	["evidence", "list"],
	["evidence", "fsck"],
	["evidence", "export"],
	["evidence", "checkpoint"],
	["evidence", "succeed"],
	["admin", "prepare"],
	["admin", "tenant"],
	...["create", "establishment", "suspend", "resume", "leave"].map((name) => ["admin", "tenant", name]),
	["admin", "key"],
	["admin", "revoke"],
	["admin", "queue"],
	["admin", "secrets"],
	["admin", "remove-queue"],
	...["list", "search", "show", "cancel", "reveal"].map((name) => ["messages", name]),
	...["list", "place", "release"].map((name) => ["holds", name]),
	...["list", "check", "record", "lift"].map((name) => ["opt-outs", name]),
	...["list", "check", "record", "withdraw"].map((name) => ["consents", name]),
	...["list", "show", "create", "retire"].map((name) => ["templates", name]),
	...["list", "deliveries", "add", "remove", "replay", "rotate-secret", "verify"].map((name) => ["webhooks", name]),
	["alerts"],
	["api-keys", "list"],
	["login"],
	["logout"],
	["logs"],
	["open"],
	["keygen"],
	...["list", "set", "doubts", "pause", "resume", "drain"].map((name) => ["queue", name]),
	...["show", "set"].map((name) => ["limits", name]),
	...["list", "rotate", "retire", "rewrap"].map((name) => ["keys", name]),
	...["verify", "segments", "decode"].map((name) => ["carrier", name]),
	...["register", "list", "revoke", "senders"].map((name) => ["recipient-keys", name]),
];

const lethe = (args: string[], options: Parameters<typeof run>[2] = {}) =>
	run(process.execPath, ["cli/lethe.ts", ...args], options);

/** Runs many at once, a few at a time. */
async function each<T>(items: T[], act: (item: T) => Promise<void>): Promise<void> {
	const left = [...items];
	const lane = async () => {
		for (let item = left.shift(); item !== undefined; item = left.shift()) await act(item);
	};
	await Promise.all([lane(), lane()]);
}

/** As set-up writes it, of an API and nothing else. */
function stackOf(url: string): StackState {
	const server = { pid: 1, source: "path" as const, program: null, dataDir: null, logFile: null };
	const named = { ...server, url: "http://127.0.0.1:1" };
	return {
		...{ version: 1, startedAt: "2026-01-01T00:00:00Z", pid: 1, dir: "/", ports: {} },
		servers: {
			temporal: { ...server, address: "127.0.0.1:1", uiUrl: null, namespace: "default" },
			vault: { ...named, auditFile: null, issuerTokenFile: "/nowhere" },
			mongodb: named,
			redis: named,
		},
		processes: { api: { pid: 1, logFile: "/nowhere", url } },
		demo: { tenantId: "ten_a", apiKey: "lethe_key_x" },
	};
}

describe("lethe", () => {
	it("explains each command by --help and by help, with --json among its options", async () => {
		await each(commands, async (command) => {
			const { code, out, error } = await lethe([...command, "--help"]);
			assert.deepEqual([code, error], [0, ""], command.join(" "));
			assert.match(out, new RegExp(`^Usage: ${["lethe", ...command].join(" ")} `));
			const holdsCommands = /^Commands:$/m.test(out);
			assert.equal(/--json/.test(out), !holdsCommands, command.join(" "));
			const called = new RegExp(`^Example:\\n {2}lethe ${command.join(" ")}( |$)`, "m");
			assert.equal(called.test(out), !holdsCommands, command.join(" "));
		});
		const groups = [["send"], ["policy", "withdraw"], ["requests", "close"], ["admin", "person", "end"]];
		await each(groups, async (command) => {
			assert.match(
				(await lethe([...command, "--help"])).out,
				new RegExp(`^Example:\\n {2}lethe ${command.join(" ")} `, "m"),
			);
		});
		assert.match((await lethe(["api-keys", "--help"])).out, /`lethe admin key` makes one/);
		const { out: tenant } = await lethe(["admin", "tenant", "create", "--help"]);
		assert.match(tenant.replace(/\s+/g, " "), /--stop-scope .*marketing.* leaves those going/, "what STOP then leaves");
		const [direct, asked] = await Promise.all([lethe(["send", "--help"]), lethe(["help", "send"])]);
		assert.equal(asked.out, direct.out);
	});

	it("tells its version", async () => {
		const { code, out } = await lethe(["--version"]);
		assert.deepEqual([code, /^\d+\.\d+\.\d+\n$/.test(out)], [0, true]);
	});

	it("answers misuse with exit code 2 and one line that names the mend", async () => {
		const cases: [args: string[], says: RegExp][] = [
			[["frobnicate"], /^lethe: unknown command 'frobnicate'\. See `lethe --help`\.$/],
			[["--nope"], /^lethe: unknown option '--nope'\. See `lethe --help`\.$/],
			[["send"], /^lethe send: required option '--to <number>' not specified\. See `lethe send --help`\.$/],
			[
				["send", "--to", "1", "--body", "x", "--waitt"],
				/^lethe send: unknown option '--waitt' \(Did you mean --wait\?\)\. See/,
			],
			[["send", "--to", "1", "--body", "x", "--category", "spam"], /'spam' is invalid\. Allowed choices are otp, /],
			[
				["send", "--to", "1", "--body", "x", "--data-class", "spam"],
				/'spam' is invalid\. Allowed choices are contact, /,
			],
			[["send", "--to", "1", "--body", "x", "--timeout", "soon"], /'soon' is invalid\. Give whole seconds\. See/],
			[["send", "--to", "1", "--body", "x", "--url", "here"], /'here' is invalid\. Give the API's URL, such as/],
			[["policy", "decide"], /^lethe policy decide: required option '--facts <file>' not specified\. See/],
			[["policy", "frobnicate"], /^lethe policy: unknown command 'frobnicate'\. See `lethe policy --help`\.$/],
			[["incident", "scope", "--at", "today"], /'today' is invalid\. Give a time of RFC 3339/],
			[["incident", "scope", "--aware", "2026-02-30T09:00:00Z"], /'2026-02-30T09:00:00Z' is invalid\. Give a time of/],
			[["incident", "scope", "--aware", "2999-01-01T00:00:00Z"], /is invalid\. It lies in the future\./],
			[["verify"], /^lethe verify: missing required argument 'file'\. See/],
			[["verify", "x"], /^lethe verify: --keys is missing: name a file/],
			[["verify", "x", "--keys", "y"], /^lethe verify: x can't be read: check its path/],
			[
				["admin", "tenant", "create"],
				/^lethe admin tenant create: required option '--name <name>' not specified\. See/,
			],
			[
				["admin", "tenant", "create", "--establishment", "Germany"],
				/'Germany' is invalid\. Give a country of ISO 3166-1 such as DE\./,
			],
			[["admin", "tenant", "create", "--establishment", "QX"], /'QX' is invalid\./],
			[
				["admin", "tenant", "create", "--keep-content", "long"],
				/'long' is invalid\. Give a duration of ISO 8601 such as P30D\./,
			],
			[["admin", "tenant", "create", "--stop-reply", ""], /'' is invalid\. Give a text of 1 to 1530 characters\./],
			[
				["admin", "tenant", "create", "--help-reply", "a".repeat(1531)],
				/is invalid\. Give a text of 1 to 1530 characters\./,
			],
			[
				["admin", "tenant", "leave", "ten_a", "--to", "nowhere"],
				/^lethe: The keys and records of ten_a are destroyed, which nobody can take back\. Give --yes where that is meant\.$/,
			],
			[
				["admin", "tenant", "establishment", "ten_a", "UK"],
				/'UK' is invalid for argument 'country'\. Give GB, not UK\. See/,
			],
			[["admin", "key", "--role", "king"], /'king' is invalid\. Allowed choices are sender, /],
			[["admin", "queue", "--id", "../x"], /'\.\.\/x' is invalid\. Give a letter, then up to 63 of/],
			[["admin", "queue", "--id", "q4915112345678"], /no seven digits in a row\. See/],
			[["evidence", "frobnicate"], /^lethe evidence: unknown command 'frobnicate'\. See `lethe evidence --help`\.$/],
			[["evidence", "export", "--from", "soon"], /'soon' is invalid\. Give a time of RFC 3339 such as/],
			[["evidence", "export", "--since", "all"], /'all' is invalid\. Give the second line of the checkpoint/],
			[["evidence", "fsck", "--checkpoint", "nothing"], /^lethe evidence fsck: nothing can't be read: check its path/],
			[
				["incident", "scope", "--store", "mongodb", "--at", "2026-01-01T00:00:00Z", "--out", "package.json"],
				/^lethe incident scope: package\.json can't be written, or is there already: give another --out\.$/,
			],
			[["admin", "queue", "--rate", "fast"], /'fast' is invalid\. Give 1 to 100000\./],
			[["admin", "queue", "--setting", "url"], /'url' is invalid\. Give key=value\./],
		];
		await each(cases, async ([args, says]) => {
			const { code, out, error } = await lethe(args);
			assert.deepEqual([code, out], [2, ""], args.join(" "));
			assert.match(error, /^[^\n]+\n$/);
			assert.match(error.trimEnd(), says);
		});
		for (const group of [[], ["policy"], ["admin"], ["admin", "tenant"], ["evidence"], ["queue"]]) {
			const { code, out, error } = await lethe(group);
			assert.deepEqual([code, out], [2, ""]);
			const name = ["lethe", ...group].join(" ");
			assert.doesNotMatch(error, / add,/, "what only tells of another command is not offered");
			assert.match(error, new RegExp(`^${name}: name a command: [a-z-]+, [^\n]*\\. See \`${name} --help\`\\.\n$`));
		}
	});

	it("ends with 2, not with a negative answer, by an error that nobody foresaw", async () => {
		const broken = 'process.stdout.write = () => void setImmediate(() => { throw new Error("unforeseen"); })';
		const args = ["--import", `data:text/javascript,${encodeURIComponent(broken)}`, "cli/lethe.ts", "keygen"];
		const { code, error } = await run(process.execPath, args);
		assert.deepEqual([code, error], [2, "lethe: unforeseen\n"]);
	});

	it("names an unknown or bad setting and the mend", async () => {
		for (const [name, value, says] of [
			["LETHE_FOO", "1", /LETHE_FOO is not a setting\. Remove it, or see docs\/settings\.md/],
			["LETHE_API_PORT", "high", /LETHE_API_PORT: .*\. See docs\/settings\.md for what it takes\./],
			["MONGODB_URL_FILE", "/nowhere", /MONGODB_URL_FILE: the file can't be read\. Mount it, or correct its path\./],
		] as const) {
			const env = bareEnvironment({ [name]: value });
			const { code, out, error } = await lethe(["admin", "revoke", "x"], { env });
			assert.deepEqual([code, out], [2, ""]);
			assert.match(error, new RegExp(`^lethe: ${says.source}.*\n$`));
		}
		const env = bareEnvironment({ LETHE_FOO: "1" });
		const doctor = await lethe(["doctor", "--json"], { env });
		const bad = JSON.parse(doctor.out).filter(({ ok }: { ok: boolean }) => !ok);
		assert.deepEqual([doctor.code, bad.length, bad[0].check], [1, 1, "configuration"]);
		const start = await run(process.execPath, ["stack/start.ts", "--dir", "/nowhere/at/all"], { env });
		assert.deepEqual([start.code, start.out], [2, ""]);
		assert.match(start.error, /^LETHE_FOO is not a setting\. [^\n]+\n$/);
	});
});

describe("lethe in a clone in which nothing was started", () => {
	let cwd: string;
	before(async () => {
		cwd = await makeClone();
	});
	after(() => rmSync(cwd, { recursive: true }));

	it("the demo's key is for the API of this folder only, however that is named", () => {
		const api = { pid: 1, url: "http://127.0.0.1:8080", tlsUrl: "https://localhost:8443" };
		const stack = { processes: { api }, demo: { apiKey: "lethe_key_x" } } as never;
		for (const own of ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "https://localhost:8443"]) {
			assert.equal(demoKeyFor(own, stack), "lethe_key_x", own);
		}
		for (const other of ["https://127.0.0.1:8080", "http://127.0.0.1:8081", "https://lethe.example"]) {
			assert.equal(demoKeyFor(other, stack), undefined, other);
		}
		assert.equal(demoKeyFor(api.url, undefined), undefined);
	});

	it("names to others the URL that browsers know the API of this folder by, where that is another than its own", () => {
		const api = { pid: 1, logFile: "", url: "http://127.0.0.1:8080" };
		const publicUrl = "http://localhost:8080";
		assert.deepEqual(urlsOf({ processes: { api: { ...api, publicUrl } } }), { url: api.url, publicUrl });
		assert.deepEqual(urlsOf({ processes: { api } }), { url: api.url, publicUrl: api.url });
		assert.deepEqual(urlsOf({ processes: {} }), {});
	});

	it("policy decide says where the one that runs here has other policies than it decided by, and answers the same", async () => {
		const facts = join(cwd, "facts.json");
		const context = { evaluatedAt: "2026-11-25T12:00:00Z", lawfulBasis: "contract" };
		writeFileSync(facts, JSON.stringify({ recipientCountry: "DE", category: "transactional", context }));
		const decide = () => lethe(["policy", "decide", "--facts", facts], { cwd });
		const alone = await decide();
		assert.deepEqual([alone.code, alone.error], [0, ""]);
		const items = [{ pack: "defaults", version: "9.9.9", sha256: "0".repeat(64) }];
		const server = createServer((_, answer) => answer.end(JSON.stringify({ items }))).listen(0, "127.0.0.1");
		await once(server, "listening");
		const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
		const file = join(cwd, ".lethe", "stack.json");
		writeFileSync(file, JSON.stringify(stackOf(url)));
		const beside = await decide();
		server.close();
		const gone = await decide();
		rmSync(file);
		assert.match(beside.error, /^lethe policy decide: [^\n]*defaults 9\.9\.9, too: --url http:[^\n]*\n$/);
		assert.deepEqual([beside.out, gone.out, gone.error], [alone.out, alone.out, ""]);
	});

	it("doctor asks the API of the deployment that it has credentials for, not the one that runs here", async () => {
		let asked = 0;
		const server = createServer((_, answer) => answer.end(String(asked++))).listen(0, "127.0.0.1");
		await once(server, "listening");
		const file = join(cwd, ".lethe", "stack.json");
		writeFileSync(file, JSON.stringify(stackOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)));
		const { roleId, wrappedSecretId } = await credentialsOf("admin");
		const names = ["TEMPORAL_ADDRESS", "VAULT_ADDR", "MONGODB_URL", "REDIS_URL"];
		const env = bareEnvironment({
			...Object.fromEntries(names.map((name) => [name, process.env[name] as string])),
			...{ LETHE_VAULT_ADMIN_ROLE_ID: roleId, LETHE_VAULT_ADMIN_WRAPPED_SECRET_ID: wrappedSecretId },
			...{ LETHE_DATABASE: "none", LETHE_LOG_LEVEL: "silent", LETHE_PUBLIC_URL: "http://127.0.0.1:1" },
		});
		const { code, out } = await lethe(["doctor", "--json"], { cwd, env });
		server.close();
		rmSync(file);
		assert.deepEqual([code, asked], [1, 0]);
		const api = JSON.parse(out).find(({ check }: { check: string }) => check === "API");
		assert.equal(api.ok, false);
	});

	it("says so, and how to start or name a deployment", async () => {
		const sent = await lethe(["send", "--to", "+12025550142", "--body", "x"], { cwd });
		assert.equal(sent.code, 2);
		assert.match(
			sent.error,
			/^lethe: no deployment is named and none runs .*`npm start`, or give --url and --key\.\n$/,
		);
		const admin = await lethe(["admin", "prepare"], { cwd });
		assert.equal(admin.code, 2);
		assert.match(admin.error, /^lethe: no deployment is named and none runs .*`npm start`, or set its URLs and .*\n$/);
		const canary = await lethe(["canary"], { cwd });
		assert.deepEqual([canary.code, /^lethe canary: nothing runs here\. Start it with/.test(canary.error)], [2, true]);
		const doctor = await lethe(["doctor"], { cwd });
		assert.equal(doctor.code, 1);
		assert.match(doctor.out, /^ok {3}shipped policies: \d+ packs in \d+ versions$/m);
		assert.match(doctor.out, /^FAIL deployment: no deployment is named.*\n {5}→ Start it with `npm start`, or/m);
	});

	it("says that the API named does not answer, or is something else", async () => {
		const to = ["send", "--to", "+12025550142", "--body", "x", "--key", "k", "--url"];
		const silent = await lethe([...to, "http://127.0.0.1:1"], { cwd });
		assert.equal(silent.code, 2);
		assert.match(silent.error, /^lethe: the API at http:\/\/127\.0\.0\.1:1 does not answer\. .*`lethe doctor`\.\n$/);
		const other = await lethe([...to, process.env.VAULT_ADDR as string], { cwd });
		assert.equal(other.code, 2);
		assert.match(other.error, /^lethe: what answers at .* is not Lethe's API \(status 40\d\)\. Correct --url\.\n$/);
	});
});

describe("npm start", () => {
	const start = (args: string[], env = bareEnvironment()) =>
		run(process.execPath, ["stack/boot.mjs", "stack/start.ts", ...args], { cwd: root, env });

	it("answers misuse with exit code 2 and one line", async () => {
		for (const [args, says] of [
			[["--nope"], /^Unknown option '--nope'\. See `npm start -- --help`\.\n$/],
			[["--dir"], /^Option '--dir <value>' argument missing\. See `npm start -- --help`\.\n$/],
			[["now"], /^Unexpected argument 'now'\. See `npm start -- --help`\.\n$/],
		] as const) {
			const { code, out, error } = await start([...args]);
			assert.deepEqual([code, out], [2, ""]);
			assert.match(error, says);
		}
		const help = await start(["--help"]);
		assert.deepEqual([help.code, /^npm start/.test(help.out), help.error], [0, true, ""]);
	});

	it("is for trying out: production is refused before anything is started", async () => {
		const { code, out, error } = await start(
			["--dir", "/nowhere/at/all"],
			bareEnvironment({ LETHE_ENVIRONMENT: "production" }),
		);
		assert.deepEqual([code, out], [2, ""]);
		assert.match(error, /^npm start is for trying out: .* deploy as deploy\/README\.md says\.\n$/);
	});
});
