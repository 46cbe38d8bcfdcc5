// Jasmin 0.11.0, from PyPI, with RabbitMQ from Debian and the stack's Redis; its look-up and thrower of receipts apart.

import { execFile } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { findErts, unpackDebian } from "../../stack/debian.ts";
import { makePrivateFolder, readIfThere, writePrivateFile } from "../../stack/files.ts";
import { waitForLock } from "../../stack/lock.ts";
import { getOk, knock, type Peer, type Site } from "./peer.ts";

const run = promisify(execFile);
const version = "0.11.0";
// Its dependencies do without wheels for newer ones.
const pythons = ["python3.11", "python3.10", "python3.12", "python3"];
const httpUser = { username: "bench", password: "bench" };
const console_ = { username: "jcliadmin", password: "jclipwd" };
const portNames = ["amqp", "epmd", "dist", "jcli", "http", "smpp", "smppPb", "clients", "router"] as const;
const answerMs = 20_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what moves a terminal's cursor begins with one.
const terminalCodes = /\x1b\[[\d;?]*[A-Za-z]/g;

// Where its SMPP client waits for a delayed acknowledgement before each send, as it does without this.
const withoutDelay = `import socket

class NoDelay(socket.socket):
    def connect_ex(self, address):
        if self.family != socket.AF_UNIX:
            self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return super().connect_ex(address)

socket.socket = NoDelay
`;

/** @throws Error when its programs can't be had */
export async function openJasmin(
	site: Site,
	options: { programs: string; redisUrl: string; noDelay: boolean },
): Promise<Peer> {
	const root = await unpackDebian("rabbitmq-server", options.programs);
	const home = await installJasmin(options.programs);
	const ports = {} as Ports;
	for (const name of portNames) ports[name] = await site.port(name);
	writeConfigs(site.dir, ports, options.redisUrl);
	const broker = openRabbit(site, root, ports);
	const own = openDaemons(site, home, ports, options.noDelay);
	let isSetUp = false;
	return {
		about:
			"A gateway: messages are in RabbitMQ's queues, which are not durable, its receipts' addresses in Redis. " +
			"No encryption, policies, evidence, erasure; a repeated request sends twice." +
			(options.noDelay ? " Its socket's delay is turned off from outside, which its settings can't." : ""),
		each: 1,
		receipts: "callback",
		async start() {
			await broker.start();
			await own.start();
			if (!isSetUp) await setUp(ports.jcli, site.smsc);
			isSetUp = true;
			await sleep(2_000);
		},
		async send([text = ""]) {
			const query = new URLSearchParams({
				...{ ...httpUser, from: "12345", to: "12025550142", content: text, dlr: "yes", "dlr-level": "2" },
				...{ "dlr-method": "GET", "dlr-url": site.callbackUrl(text) },
			});
			await getOk(`http://127.0.0.1:${ports.http}/send?${query}`, /^Success/);
		},
		kill: own.kill,
		restart: own.start,
		async stop() {
			await own.stop();
			await broker.stop();
		},
	};
}

type Ports = Record<(typeof portNames)[number], number>;

/** A virtual environment with Jasmin, and its resources, which only its source archive has. */
async function installJasmin(programs: string): Promise<string> {
	const home = join(programs, "jasmin");
	const lock = await waitForLock(`${home}.lock`, () => undefined);
	try {
		if (readIfThere(`${home}.installed`) === version) return home;
		rmSync(home, { recursive: true, force: true });
		const python = await firstThatRuns(pythons);
		await run(python, ["-m", "venv", home]);
		const pip = (...args: string[]) =>
			run(join(home, "bin", "python"), ["-m", "pip", "--quiet", "--no-input", ...args], { timeout: 600_000 });
		await pip("install", `jasmin==${version}`);
		const archive = makePrivateFolder(join(home, "archive"));
		await pip("download", "--no-deps", "--no-binary", ":all:", "-d", archive, `jasmin==${version}`);
		await run("tar", ["-xzf", join(archive, `jasmin-${version}.tar.gz`), "-C", archive]);
		cpSync(join(archive, `jasmin-${version}`, "misc", "config", "resource"), join(home, "resource"), {
			recursive: true,
		});
		writePrivateFile(`${home}.installed`, version);
		return home;
	} finally {
		lock.release();
	}
}

async function firstThatRuns(commands: string[]): Promise<string> {
	for (const command of commands) {
		const found = await run(command, ["-c", "import venv, ensurepip"]).catch(() => undefined);
		if (found) return command;
	}
	throw new Error("there is no Python with venv");
}

function writeConfigs(dir: string, ports: Ports, redisUrl: string): void {
	const { hostname, port } = new URL(redisUrl);
	const shared = `[amqp-broker]
port = ${ports.amqp}
[redis-client]
host = ${hostname}
port = ${port}
dbid = 5
`;
	for (const folder of ["store", "var"]) makePrivateFolder(join(dir, folder));
	writePrivateFile(
		join(dir, "jasmin.cfg"),
		`${shared}[smpp-server]
bind = 127.0.0.1
port = ${ports.smpp}
[smpp-server-pb]
bind = 127.0.0.1
port = ${ports.smppPb}
[client-management]
bind = 127.0.0.1
port = ${ports.clients}
[router]
bind = 127.0.0.1
port = ${ports.router}
[http-api]
bind = 127.0.0.1
port = ${ports.http}
[jcli]
bind = 127.0.0.1
port = ${ports.jcli}
`,
	);
	writePrivateFile(join(dir, "dlrlookupd.cfg"), shared);
	writePrivateFile(join(dir, "dlr.cfg"), `${shared}[smpp-server-pb-client]\nport = ${ports.smppPb}\n`);
}

function openRabbit(site: Site, root: string, ports: Ports) {
	const erts = findErts(root);
	const env = {
		PATH: `${join(root, "usr/lib/erlang/bin")}:${join(erts, "bin")}:${process.env.PATH}`,
		...{ ERL_EPMD_PORT: String(ports.epmd), ERL_EPMD_ADDRESS: "127.0.0.1" },
		...{ RABBITMQ_NODENAME: `bench${ports.amqp}@localhost`, RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1" },
		...{ RABBITMQ_NODE_PORT: String(ports.amqp), RABBITMQ_DIST_PORT: String(ports.dist) },
		...{ RABBITMQ_MNESIA_BASE: join(site.dir, "mnesia"), RABBITMQ_LOG_BASE: join(site.dir, "rabbitmq") },
		...{ RABBITMQ_CONF_ENV_FILE: join(site.dir, "none.conf"), RABBITMQ_CONFIG_FILE: join(site.dir, "none") },
		...{ RABBITMQ_ADVANCED_CONFIG_FILE: join(site.dir, "none"), RABBITMQ_PID_FILE: join(site.dir, "rabbitmq.pid") },
		RABBITMQ_ENABLED_PLUGINS_FILE: join(site.dir, "plugins"),
		RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
	};
	const script = join(root, "usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin/rabbitmq-server");
	const epmd = site.supervise("epmd", { command: join(erts, "bin/epmd"), args: [], env }, () => knock(ports.epmd));
	const rabbit = site.supervise("rabbitmq", { command: script, args: [], env }, () => knock(ports.amqp));
	return {
		async start() {
			await epmd.start();
			await rabbit.start();
		},
		async stop() {
			await rabbit.stop();
			await epmd.stop();
		},
	};
}

function openDaemons(site: Site, home: string, ports: Ports, noDelay: boolean) {
	const modules = makePrivateFolder(join(site.dir, "modules"));
	if (noDelay) writePrivateFile(join(modules, "sitecustomize.py"), withoutDelay);
	const env = {
		...{ ROOT_PATH: site.dir, CONFIG_PATH: site.dir, RESOURCE_PATH: join(home, "resource") },
		...{ STORE_PATH: join(site.dir, "store"), LOG_PATH: join(site.dir, "var"), PYTHONPATH: modules },
	};
	const daemon = (name: string, args: string[], answers: () => Promise<unknown>) =>
		site.supervise(
			name,
			{ command: join(home, "bin/python"), args: [join(home, "bin", `${name}.py`), ...args], env },
			answers,
		);
	const { username, password } = console_;
	const started = () => sleep(1_500);
	const daemons = [
		daemon("jasmind", ["-c", join(site.dir, "jasmin.cfg"), "-u", username, "-p", password], async () => {
			await knock(ports.jcli);
			await getOk(`http://127.0.0.1:${ports.http}/ping`);
		}),
		daemon("dlrlookupd", ["-c", join(site.dir, "dlrlookupd.cfg")], started),
		daemon("dlrd", ["-c", join(site.dir, "dlr.cfg")], started),
	];
	return {
		async start() {
			// What was killed leaves its locks, which are of the whole machine.
			for (const name of ["jasmind", "dlrlookupd-master", "dlrd-master"]) {
				rmSync(`/tmp/${name}.lock`, { recursive: true, force: true });
			}
			for (const one of daemons) await one.start();
		},
		kill: async () => void (await Promise.all(daemons.map((one) => one.kill()))),
		stop: async () => void (await Promise.all(daemons.map((one) => one.stop()))),
	};
}

/** Its connector, group, user and route, as an operator types them. */
async function setUp(port: number, smsc: Site["smsc"]): Promise<void> {
	const socket = connect(port, "127.0.0.1");
	let heard = "";
	socket.setEncoding("utf8").on("data", (text: string) => {
		heard += text.replace(terminalCodes, "");
	});
	const until = async (prompt: RegExp) => {
		for (const end = Date.now() + answerMs; !prompt.test(heard); await sleep(20)) {
			if (Date.now() > end) throw new Error(`jcli did not answer: ${heard.slice(-300)}`);
		}
		heard = "";
	};
	const say = async (line: string, prompt = /(jcli :|>) $/) => {
		socket.write(`${line}\r\n`);
		await until(prompt);
	};
	try {
		// It asks for the name only once it was given something.
		await until(/Authentication required/);
		await say(console_.username, /Password: $/);
		await say(console_.password, /jcli : $/);
		const commands = [
			...["smppccm -a", "cid sim", "host 127.0.0.1", `port ${smsc.port}`, `username ${smsc.systemId}`],
			...[`password ${smsc.password}`, "bind transceiver", "submit_throughput 0", "ok", "smppccm -1 sim"],
			...["group -a", "gid bench", "ok", "user -a", `username ${httpUser.username}`, `password ${httpUser.password}`],
			...["gid bench", "uid bench", "ok", "mtrouter -a", "type DefaultRoute", "connector smppc(sim)", "rate 0.0", "ok"],
			"persist",
		];
		for (const command of commands) await say(command);
	} finally {
		socket.destroy();
	}
}
