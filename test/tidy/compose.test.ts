// The production shape: its settings are Lethe's own, its servers are no toys, and no secret stands in it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parse } from "yaml";
import { loadConfig, settings } from "../../config.ts";
import { limits } from "../../domain/limits.ts";
import { memoryKept, nodeOptions } from "../../stack/processes.ts";
import { searchAttributes } from "../../workflows/contract.ts";
import { readTreeFile, root, treePaths, treeSources } from "./tree.ts";
import { loadedBy } from "./walls.ts";

type Service = {
	image: string;
	build?: string;
	user?: string;
	command?: string[];
	entrypoint?: string[];
	environment?: Record<string, string>;
	env_file?: { path: string; required: boolean }[];
	secrets?: string[];
	volumes?: string[];
	ports?: string[];
	networks: string[];
	restart: string;
	profiles?: string[];
	read_only: boolean;
	stop_grace_period?: string;
	cap_drop: string[];
	security_opt: string[];
	depends_on?: Record<string, { condition: string }>;
	healthcheck?: { test?: string[]; disable?: boolean };
	deploy: { replicas?: number; resources: { limits: { cpus: string; memory: string } } };
};

const text = readTreeFile("docker-compose.yml");
const compose = parse(text, { merge: true }) as {
	services: Record<string, Service>;
	networks: Record<string, { internal?: boolean }>;
	secrets: Record<string, { file: string }>;
};
const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.build !== undefined);
const lasting = services.filter(([, service]) => service.restart === "unless-stopped");
const dockerfile = readTreeFile("Dockerfile");
/** Those that log in to Vault by a role of their own. */
const running = ["api", "worker", "sender", "cli", "restore", "leave", "prepare"];

// What Node itself reads; all else that our services are given must be a setting of config.ts.
const nodeVariables = ["NODE_EXTRA_CA_CERTS"];

const folder = mkdtempSync(join(tmpdir(), "lethe-compose-"));
after(() => rmSync(folder, { recursive: true }));
const samples: Record<string, string> = {
	MONGODB_URL: "mongodb://lethe:sample@mongodb:27017/?replicaSet=lethe",
	REDIS_URL: "redis://:sample@redis:6379",
};

for (const [name, service] of ours) {
	test(`${name} is given settings that config.ts knows and takes`, () => {
		const environment = environmentOf(service);
		for (const variable of Object.keys(environment)) {
			assert.ok(variable in settings || nodeVariables.includes(variable), `${variable} is no setting`);
		}
		const config = loadConfig(environment);
		assert.equal(config.vault.address, "https://vault:8200");
		if (running.includes(name)) {
			assert.equal(config.environment, "production");
			assert.equal(config.mongodb.url, samples.MONGODB_URL);
			assert.equal(config.redis.url, samples.REDIS_URL);
			assert.ok(config.temporal.address);
		}
	});
}

test("a setting that stands in .env reaches every process, but for what the containers are made of", () => {
	const ofContainers =
		/_FILE$|^(LETHE_(ENVIRONMENT|LOG_DIR|LEDGER_DIR|API_PORT|TLS_HOST|TLS_PORT)|TEMPORAL_(ADDRESS|NAMESPACE)|VAULT_ADDR)$/;
	for (const [name, { env_file, environment = {} }] of ours) {
		assert.deepEqual(env_file, [{ path: ".env", required: false }], name);
		for (const variable of Object.keys(settings).filter((one) => one in environment && !ofContainers.test(one))) {
			assert.ok(environment[variable]?.startsWith(`\${${variable}:-`), `${name} has ${variable} fixed`);
		}
	}
});

test("each process has the credentials of its own roles, kept fresh by the credentials service", () => {
	const rolesOf = (name: string) => Object.keys(loadConfig(environmentOf(serviceOf(name))).vault.credentials).sort();
	const issued = new Map(
		serviceOf("credentials")
			.command?.slice(4)
			.map((entry) => entry.split(":") as [string, string]),
	);
	for (const name of running) {
		assert.deepEqual(rolesOf(name), issued.get(name)?.split(",").sort(), name);
		assert.ok(serviceOf(name).volumes?.includes(`${name}-credentials:/run/credentials:ro`));
	}
	assert.deepEqual(rolesOf("api"), ["api"]);
	assert.deepEqual(rolesOf("sender"), ["sender"]);
	assert.deepEqual(rolesOf("restore"), ["admin", "eraser"], "as `lethe restore` asks for");
	assert.deepEqual(rolesOf("leave"), ["admin", "exporter"], "as `lethe admin tenant leave` does");
});

test("each process has the time to write down what a carrier answers it at its end", () => {
	for (const name of running) {
		const [, seconds] = /^(\d+)s$/.exec(serviceOf(name).stop_grace_period ?? "") ?? [];
		assert.ok(Number(seconds) * 1000 > limits.carrierTimeoutMs + limits.leaseMs, name);
	}
});

test("whatever reads or sends messages sees the ledger beside the stores, and would tell a restored one", () => {
	for (const name of running.filter((one) => one !== "prepare")) {
		const folder = loadConfig(environmentOf(serviceOf(name))).ledgerDir;
		assert.ok(
			serviceOf(name).volumes?.some((volume) => volume.split(":")[1] === folder),
			name,
		);
	}
});

test("whoever tells how the evidence log stands to its witnesses asks the one in the file, too", () => {
	for (const name of ["api", "worker", "cli", "restore"]) {
		const file = serviceOf(name).environment?.LETHE_EVIDENCE_WITNESS_FILE;
		assert.ok(
			serviceOf(name).volumes?.some((volume) => file?.startsWith(`${volume.split(":")[1]}/`)),
			name,
		);
	}
});

test("`doctor` is told where the API is and how callers reach it", () => {
	const { api } = loadConfig(environmentOf(serviceOf("cli")));
	assert.match(api.url ?? "", /^https:\/\/api:8443$/);
	assert.match(api.publicUrl, /^https:/);
});

test("no password is on a command line", () => {
	const [, check = ""] = serviceOf("redis").healthcheck?.test ?? [];
	assert.match(check, /REDISCLI_AUTH=/);
	assert.doesNotMatch(check, /redis-cli [^|]*(-u|-a|redis_url)/);
});

test("no secret stands in it: secrets are files that git ignores, handed over as files", () => {
	for (const [name, { file }] of Object.entries(compose.secrets)) assert.equal(file, `deploy/secrets/${name}`);
	assert.deepEqual(
		treePaths.filter((path) => path.startsWith("deploy/secrets/")),
		["deploy/secrets/.gitignore"],
	);
	const secret = Object.entries(settings).filter(([, setting]) => "secret" in setting);
	assert.ok(secret.length > 0);
	for (const [name, { environment = {} }] of services) {
		for (const [variable] of secret) assert.ok(!(variable in environment), `${name} is given ${variable} in clear`);
		for (const variable of Object.keys(environment).filter((key) => /PASSWORD|PWD|SECRET|TOKEN/.test(key))) {
			assert.match(environment[variable] ?? "", /^\/run\/(secrets|credentials)\//, `${name}: ${variable}`);
		}
	}
	assert.doesNotMatch(dockerfile, /^(ARG|ENV) .*(PASSWORD|SECRET|TOKEN)/m);
	assert.match(readTreeFile(".dockerignore"), /^\*$/m);
});

test("no dev server and no simulated carrier runs in it", () => {
	assert.doesNotMatch(text, /start-dev|server -dev|"-dev"|stack\/carrier|stack\/start|carrier-simulator/);
	assert.doesNotMatch(readTreeFile(".dockerignore"), /^!stack(\/carrier.*|\/start.*)?$/m);
	const redis = readTreeFile("deploy/redis/redis.conf");
	assert.match(redis, /^appendonly yes$/m);
	assert.match(redis, /^save ""$/m, "as the stack's own");
	assert.match(redis, /^maxmemory-policy noeviction$/m);
	const vault = readTreeFile("deploy/vault/vault.hcl");
	assert.match(vault, /^storage "raft"/m);
	assert.match(vault, /^audit "file"/m);
	assert.doesNotMatch(vault, /tls_disable/);
	assert.ok(serviceOf("mongodb").command?.includes("--replSet") && serviceOf("mongodb").command?.includes("--auth"));
});

test("every container is read-only, without privileges, bounded, and of a pinned image", () => {
	for (const [name, service] of services) {
		// The Temporal UI renders its configuration into its own folder and has a user of its own.
		if (name !== "temporal-ui") assert.ok(service.read_only && service.user && !/^(root|0)/.test(service.user), name);
		assert.deepEqual(service.cap_drop, ["ALL"], name);
		assert.deepEqual(service.security_opt, ["no-new-privileges:true"], name);
		assert.ok(service.deploy.resources.limits.cpus && service.deploy.resources.limits.memory, name);
		assert.match(service.image, /:\d+\.\d+(\.\d+)?(-[a-z]+)?$/, name);
	}
});

test("every lasting service has a health check, and everything waits for what it needs", () => {
	for (const [name, { healthcheck, build }] of lasting) {
		assert.ok(healthcheck?.test ?? (build && /^HEALTHCHECK /m.test(dockerfile)), name);
	}
	for (const [name, { depends_on = {} }] of services) {
		for (const [needed, { condition }] of Object.entries(depends_on)) {
			const runsOnce = serviceOf(needed).restart.startsWith("on-failure");
			assert.equal(condition, runsOnce ? "service_completed_successfully" : "service_healthy", `${name} → ${needed}`);
		}
	}
});

test("what uses the stores starts after `lethe admin prepare` has made them ready", () => {
	assert.deepEqual(serviceOf("prepare").command, ["admin", "prepare"]);
	for (const name of ["api", "worker", "sender"]) {
		assert.equal(serviceOf(name).depends_on?.prepare?.condition, "service_completed_successfully", name);
	}
});

test("a command is run while servers are away: it waits for its credentials alone", () => {
	for (const [name, { depends_on }] of ours.filter(([, { profiles }]) => profiles?.includes("cli"))) {
		assert.deepEqual(depends_on, { credentials: { condition: "service_healthy" } }, name);
	}
});

test("whoever goes through a store has more memory than its heap is bounded to, or it would be killed without a word", () => {
	const [, heapMb] = /--max-old-space-size=(\d+)/.exec(nodeOptions) ?? [];
	for (const name of running.filter((one) => one !== "prepare")) {
		const [, count, unit] = /^(\d+)([mg])$/.exec(serviceOf(name).deploy.resources.limits.memory) ?? [];
		assert.ok(Number(count) * (unit === "g" ? 1024 : 1) > Number(heapMb), name);
	}
});

test("stores have no way out, and every published port is on loopback", () => {
	const inside = Object.keys(compose.networks).filter((name) => compose.networks[name]?.internal);
	for (const name of ["vault", "mongodb", "redis", "postgres", "temporal"]) {
		assert.deepEqual(
			serviceOf(name).networks.filter((network) => !inside.includes(network)),
			[],
			name,
		);
		assert.equal(serviceOf(name).ports, undefined, name);
	}
	for (const [name, { ports = [] }] of services) {
		for (const published of ports) assert.match(published, /^127\.0\.0\.1:/, name);
	}
});

test("the API is reached by TLS only: plain HTTP is heard inside its container alone", () => {
	const { api } = loadConfig(environmentOf(serviceOf("api")));
	assert.deepEqual([api.host, api.plainAnywhere, api.tls?.host, api.tls?.port], ["127.0.0.1", false, "0.0.0.0", 8443]);
	assert.deepEqual(
		serviceOf("api").ports?.map((published) => published.split(":").at(-1)),
		["8443"],
	);
	assert.match(loadConfig(environmentOf(serviceOf("sender"))).api.url ?? "", /^https:/);
});

test("the image runs the pinned Node as a user without rights", () => {
	const { dependencies } = JSON.parse(readTreeFile("package.json"));
	const bases = [...dockerfile.matchAll(/^FROM (node:\S+)/gm)].map(([, image]) => image);
	assert.deepEqual([...new Set(bases)], [`node:${dependencies.node}-slim`]);
	const users = [...dockerfile.matchAll(/^USER (\S+)/gm)].map(([, user]) => user);
	assert.equal(users.at(-1), "node");
	assert.match(dockerfile, /npm install --no-save --omit=dev/);
	assert.ok(dockerfile.includes(`NODE_OPTIONS="${nodeOptions}" `), "the image runs Node as the stack does");
	for (const [name, value] of Object.entries(memoryKept)) assert.ok(dockerfile.includes(`${name}=${value} `), name);
});

test("all that the services run is in the image", () => {
	const allowed = [...readTreeFile(".dockerignore").matchAll(/^!(\S+)$/gm)].map(([, path]) => path);
	const inImage = (path: string) => allowed.some((place) => path === place || path.startsWith(`${place}/`));
	const programs = [
		...ours.map(([, { entrypoint, command }]) => (entrypoint ?? command)?.[1] ?? ""),
		"stack/bundle.ts",
	];
	assert.deepEqual(
		programs.filter((path) => !treePaths.includes(path)),
		[],
	);
	const loaded = loadedBy(
		programs,
		// A drill starts a deployment of its own, from a clone.
		treeSources.flatMap(({ arrows }) => arrows).filter(({ to }) => !to.startsWith("cli/drill/")),
	);
	assert.deepEqual(
		[...loaded].filter((path) => !/^(node|npm):/.test(path) && !inImage(path)),
		[],
	);
});

test("the namespace has the search attributes that the workflows set", () => {
	const [, names = ""] = /for attribute in (.*); do/.exec(readTreeFile("deploy/temporal/namespace.sh")) ?? [];
	assert.deepEqual(names.split(" ").sort(), Object.values(searchAttributes).sort());
});

for (const [name, port] of [
	["worker", 7233],
	["sender", 27017],
] as const) {
	const skip = process.platform !== "linux" && "/proc is Linux's";
	test(`the ${name} is healthy exactly while it holds a connection to port ${port}`, { skip }, async () => {
		const [cmd, program = "", flags = "", pattern = "", ...files] = serviceOf(name).healthcheck?.test ?? [];
		const hex = (number: number) => number.toString(16).toUpperCase().padStart(4, "0");
		assert.deepEqual([cmd, pattern], ["CMD", `:${hex(port)} 01 `]);
		const server = createServer().listen(0, "127.0.0.1");
		await once(server, "listening");
		const here = (server.address() as AddressInfo).port;
		const isHealthy = () => spawnSync(program, [flags, pattern.replace(hex(port), hex(here)), ...files]).status === 0;
		assert.equal(isHealthy(), false);
		const client = connect(here, "127.0.0.1");
		await once(client, "connect");
		assert.equal(isHealthy(), true);
		client.destroy();
		server.close();
		await once(client, "close");
		assert.equal(isHealthy(), false);
	});
}

const composeCommand = [["docker", "compose"], ["docker-compose"]].find(
	([program = "", ...args]) => spawnSync(program, [...args, "version"]).status === 0,
);
test("`docker compose config` accepts it", { skip: !composeCommand && "no docker compose here" }, () => {
	const [program = "", ...first] = composeCommand ?? [];
	const args = [...first, "--file", join(root, "docker-compose.yml"), "--profile", "*", "config", "--quiet"];
	const { PATH, HOME, DOCKER_CONFIG } = process.env;
	const { status, stderr } = spawnSync(program, args, { encoding: "utf8", env: { PATH, HOME, DOCKER_CONFIG } });
	assert.equal(status, 0, stderr);
});

function serviceOf(name: string): Service {
	const service = compose.services[name];
	assert.ok(service, name);
	return service;
}

/** What the process would see: interpolated, and with its files in place of the container's. */
function environmentOf(service: Service): Record<string, string> {
	const entries = Object.entries(service.environment ?? {}).map(([name, value]) => {
		const plain = value.replace(/\$\{\w+:-([^}]*)\}/g, (_, otherwise) => otherwise);
		if (name.endsWith("_ROLE_ID")) return [name, "sample"];
		if (!name.endsWith("_FILE")) return [name, plain];
		const path = join(folder, name);
		writeFileSync(path, samples[name.replace(/_FILE$/, "")] ?? "sample");
		return [name, path];
	});
	return Object.fromEntries(entries);
}
