// Runs Smsc.java, and the URL at which callers are told of receipts; both are read from here.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { fetchJars, jsmppArchives } from "../../stack/jars.ts";

/** How often a text came and when last, and when its receipt was last taken; epoch milliseconds. */
export type Seen = { times: number; cameAt: number; acknowledgedAt?: number };

export type RunningSmsc = Awaited<ReturnType<typeof startSmsc>>;

/** @throws Error when its archives can't be had, or it does not listen */
export async function startSmsc() {
	const classPath = await fetchJars(jsmppArchives);
	const source = fileURLToPath(new URL("Smsc.java", import.meta.url));
	const quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
	const child = spawn("java", ["-Xmx256m", quiet, "-cp", classPath, source], { stdio: ["ignore", "pipe", "ignore"] });
	const ended = once(child, "close");
	const end = () => child.kill("SIGKILL");
	process.once("exit", end);
	const line = await Promise.race([
		once(createInterface({ input: child.stdout }), "line").then(([text]) => String(text)),
		ended.then(() => ""),
	]);
	const [port, httpPort] = line.split(" ").map(Number);
	if (!port || !httpPort) throw new Error("the SMSC did not start: it needs a JDK, not only a JRE, of 17 or later");
	return {
		smsc: { port, systemId: "lethe", password: "secret" },
		/** Text → what became of it, of the texts that begin so. */
		async texts(prefix: string): Promise<Map<string, Seen>> {
			const answer = await fetch(`http://127.0.0.1:${httpPort}/texts?${prefix}`);
			const lines = (await answer.text()).split("\n").filter((one) => one !== "");
			return new Map(lines.map(parse));
		},
		async stop(): Promise<void> {
			process.off("exit", end);
			end();
			await ended;
		},
	};
}

function parse(line: string): [string, Seen] {
	const [text = "", times, cameAt, acknowledged, acknowledgedAt] = line.split(" ");
	const taken = acknowledged === "true" ? { acknowledgedAt: Number(acknowledgedAt) } : {};
	return [text, { times: Number(times), cameAt: Number(cameAt), ...taken }];
}

/** Where peers tell of receipts: text → epoch milliseconds of the first word of it. */
export async function startSink() {
	const heard = new Map<string, number>();
	const server = createServer((request, response) => {
		const text = new URL(request.url ?? "/", "http://sink").searchParams.get("text");
		if (text !== null && !heard.has(text)) heard.set(text, Date.now());
		request.resume();
		// Jasmin takes nothing else for an acknowledgement.
		response.end("ACK/Jasmin");
	});
	server.keepAliveTimeout = 60_000;
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.address() as AddressInfo;
	return {
		heard,
		callbackUrl: (text: string) => `http://127.0.0.1:${port}/receipt?text=${text}`,
		async stop(): Promise<void> {
			server.closeAllConnections();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}
