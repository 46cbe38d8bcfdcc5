// The walls of the house as data: which room may import which, which package opens which door, where programs start.

import { type Arrow, computed } from "./source.ts";

type Room = {
	/** Folders and files that it may import, besides itself. */
	may: string[];
	/** Folders and files of which it may import the types only. */
	types?: string[];
	/** Packages and Node built-ins that it may import; absent means any that `doors` leaves open. */
	outside?: string[];
};

const policyPackages = ["diff", "temporal-polyfill", "yaml", "zod"];

/** Room → what it may import. A file belongs to the room with the longest matching path. */
export const rooms: Record<string, Room> = {
	domain: { may: [], outside: [] },
	policies: { may: ["domain", "policies"], outside: policyPackages },
	"policies/load.ts": {
		may: ["domain", "policies"],
		outside: [...policyPackages, "node:crypto", "node:fs", "node:path", "node:url"],
	},
	// Its tables are loaded once a rule asks for them.
	"policies/holidays.ts": { may: [], outside: ["date-holidays", "node:module"] },
	adapters: { may: ["domain"] },
	"adapters/temporal": { may: ["domain", "adapters", "workflows/contract.ts"] },
	// Both sides of a text are written once: recipients run that file.
	"adapters/textSeal.ts": { may: ["domain", "adapters", "client/e2ee.ts"] },
	"adapters/vault/senderKeys.ts": { may: ["domain", "adapters", "client/e2ee.ts"] },
	audit: { may: ["domain"], types: ["adapters"] },
	workflows: {
		may: ["domain"],
		types: ["activities"],
		outside: ["@temporalio/common", "@temporalio/workflow"],
	},
	// The shapes of what a step answers are the workflow's words.
	activities: { may: ["domain", "policies", "audit"], types: ["adapters", "workflows/contract.ts"] },
	api: { may: ["domain", "policies", "audit"], types: ["adapters"] },
	"config.ts": { may: [] },
	"deps.ts": { may: ["config.ts", "domain", "adapters", "audit", "policies"] },
	"api/server.ts": { may: ["config.ts", "deps.ts", "domain", "api"] },
	workers: { may: ["config.ts", "deps.ts", "domain", "activities", "workflows"] },
	cli: {
		// A command that builds deps first has to be handed credentials.
		// What a carrier sent is judged by its adapter, without any server.
		may: [
			...["config.ts", "deps.ts", "domain", "policies", "audit", "stack/stackFile.ts", "adapters/vault/issue.ts"],
			...["adapters/carriers/registry.ts", "adapters/carriers/smpp", "cli/drill"],
			// The canary reads what the store packs.
			"adapters/mongo/packing.ts",
			// What a tenant is handed before its keys go is on the disk as the ledger is.
			"adapters/onDisk.ts",
			// As pure values, the same for what callers sign.
			"api/messageSignature.ts",
			// What recipients run, run here.
			...["client/e2ee.ts"],
		],
		// What the API answers is typed once, for whoever calls it.
		types: ["adapters", "client/types.ts"],
	},
	// A drill starts, copies and ends a deployment of its own.
	"cli/drill": { may: ["config.ts", "deps.ts", "domain", "adapters", "stack", "cli"] },
	"cli/bin.mjs": { may: ["stack/boot.mjs"] },
	// A peer's queue is set as an administrator sets it.
	bench: {
		may: [
			...["config.ts", "deps.ts", "domain", "policies", "adapters", "activities", "workflows", "workers", "stack"],
			"cli/administer.ts",
		],
	},
	// The carrier's magic numbers are what its manual lists; the rest of it is another company's.
	// The demo's tenant and key are made as an administrator makes them; the bundle is the worker's own.
	stack: {
		may: [
			...["config.ts", "deps.ts", "domain", "policies", "adapters", "audit"],
			...["cli/administer.ts", "stack/carrier/magic.ts", "workers/bundle.ts"],
		],
	},
	// It plays an outside company: it shares words with us, never our code.
	"stack/carrier": { may: ["domain"] },
	// Scripts for other servers' own shells.
	deploy: { may: [], outside: ["node:fs"] },
	// The client's types are the API's words, without any server.
	"stack/clientTypes.ts": { may: ["domain", "api"] },
	// Who may use which route is the API's to say.
	"stack/testApi.ts": { may: ["api/roles.ts", "stack"] },
	"stack/docs.ts": {
		may: ["config.ts", "domain", "policies", "adapters", "stack", "bench/figures.ts"],
	},
	// It runs in a browser too.
	client: { may: [], outside: ["@hpke/core"] },
	console: { may: [] },
	// What a browser is served as it stands.
	page: { may: [], outside: [] },
	test: { may: [""] },
};

const launchers = ["stack", "bench", "test"];
// The canary looks into the servers behind the adapters' backs.
const beyondAdapters = ["cli/canary", ...launchers];

/** Package → the only rooms that may import it: the outside is reached through its adapter. */
const doors: Record<string, string[]> = {
	mongoose: ["adapters/mongo", ...beyondAdapters],
	bullmq: ["adapters/redis", ...beyondAdapters],
	ioredis: ["adapters/redis", ...beyondAdapters],
	"node-vault": ["adapters/vault", ...beyondAdapters],
	"@temporalio/client": ["adapters/temporal", ...beyondAdapters],
	"@temporalio/worker": ["adapters/temporal", "workers", ...launchers],
	"@temporalio/activity": ["activities", "workers", ...launchers],
	"@temporalio/workflow": ["workflows", ...launchers],
	fastify: ["api", ...launchers],
	commander: ["cli"],
	"age-encryption": ["adapters/logs", ...launchers],
	"node:module": ["policies/holidays.ts", "adapters/temporal/sdk.ts", ...launchers],
};

/** Files that something outside the tree starts; what none of them reaches is dead. */
const entries: RegExp[] = [
	/^api\/server\.ts$/,
	/^workers\/\w+\.ts$/,
	/^workflows\/index\.ts$/,
	/^cli\/(bin\.mjs|lethe\.ts)$/,
	/^stack\/(boot\.mjs|start\.ts|test\.ts|check\.ts|fast-store\.ts|docs\.ts|picture\.ts|seal\.ts|carrier\/server\.ts)$/,
	/^stack\/(bundle|credentials|provision|testApi)\.ts$/,
	/^deploy\/mongodb\/setup\.js$/,
	/^client\/(index|e2ee)\.ts$/,
	/^bench\/(run|bareWorker|bare|peers\/plainSender)\.ts$/,
];
const tests = /^test\/(.*\.test|replay\/record|page\/picture)\.ts$/;

/** Every arrow that breaks a wall, as one line each. */
export function findBreaches(arrows: Arrow[]): string[] {
	return arrows.flatMap((arrow) => {
		const why = judge(arrow);
		return why === undefined ? [] : [`${arrow.from} → ${arrow.to}: ${why}`];
	});
}

/** Every group of files that reach each other, as one line each; types count. */
export function findCycles(arrows: Arrow[]): string[] {
	const next = neighbours(arrows.filter(({ kind }) => kind !== "path"));
	const reach = new Map([...next.keys()].map((path) => [path, reachable(next, next.get(path) ?? [])]));
	const cycles = [...reach].flatMap(([path, seen]) =>
		seen.has(path)
			? [
					[...seen]
						.filter((other) => reach.get(other)?.has(path))
						.sort()
						.join(" ↔ "),
				]
			: [],
	);
	return [...new Set(cycles)];
}

/** Files that no program reaches; a file that only tests reach is dead too. */
export function findDead(paths: string[], arrows: Arrow[]): string[] {
	const next = neighbours(arrows);
	const alive = reachable(
		next,
		paths.filter((path) => entries.some((entry) => entry.test(path))),
	);
	const tested = reachable(
		next,
		paths.filter((path) => tests.test(path)),
	);
	return paths.filter((path) => !(path.startsWith("test/") ? tested : alive).has(path));
}

/** Files that running `paths` loads, themselves included. */
export function loadedBy(paths: string[], arrows: Arrow[]): Set<string> {
	return reachable(neighbours(arrows.filter(({ kind }) => kind !== "type")), paths);
}

function judge({ from, to, kind }: Arrow): string | undefined {
	if (kind === "path") return undefined;
	const name = longestRoom(from);
	const room = name === undefined ? undefined : rooms[name];
	if (name === undefined || room === undefined) return "the file is in no room";
	if (/^(node|npm):/.test(to)) return judgeOutside(from, to, room);
	if (longestRoom(to) === name || within(to, room.may)) return undefined;
	if (!within(to, room.types ?? [])) return `${name} may not import it`;
	return kind === "type" ? undefined : `${name} may import its types only`;
}

function judgeOutside(from: string, to: string, room: Room): string | undefined {
	if (to === computed) return within(from, launchers) ? undefined : "a computed import can't be judged";
	const name = to.replace(/^npm:/, "");
	if (room.outside && !room.outside.includes(name)) return "the room may not import this package or built-in";
	const door = doors[name];
	return door && !within(from, door) ? `only ${door.join(", ")} may` : undefined;
}

function longestRoom(path: string): string | undefined {
	return Object.keys(rooms)
		.filter((room) => within(path, [room]))
		.sort((a, b) => b.length - a.length)[0];
}

function within(path: string, places: string[]): boolean {
	return places.some((place) => place === "" || path === place || path.startsWith(`${place}/`));
}

function neighbours(arrows: Arrow[]): Map<string, string[]> {
	const next = new Map<string, string[]>();
	for (const { from, to } of arrows) next.set(from, [...(next.get(from) ?? []), to]);
	return next;
}

function reachable(next: Map<string, string[]>, from: string[]): Set<string> {
	const seen = new Set<string>();
	const open = [...from];
	for (let path = open.pop(); path !== undefined; path = open.pop()) {
		if (seen.has(path)) continue;
		seen.add(path);
		open.push(...(next.get(path) ?? []));
	}
	return seen;
}
