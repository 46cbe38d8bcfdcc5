// Loopback ports: chosen once, kept while they are free.

import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the ranges from which systems take the ports of outgoing connections, so that a server that restarts finds
// its own still free.
const portMin = 15_000;
const portMax = 29_999;

/** Hands out free ports by name, those of `known` first; the same one is never given twice. */
export function createPorts(known: Record<string, number>) {
	const given: Record<string, number> = {};

	return {
		/** @throws when no free port is found */
		async pick(name: string): Promise<number> {
			const taken = new Set(Object.values(given));
			const reserved = new Set(Object.values(known));
			for (let tries = 0; tries < 200; tries++) {
				const remembered = tries === 0 ? known[name] : undefined;
				const port = remembered ?? randomInt(portMin, portMax + 1);
				if (taken.has(port) || (remembered === undefined && reserved.has(port))) continue;
				if (!(await isFree(port))) continue;
				given[name] = port;
				return port;
			}
			throw new Error(`No free port for ${name} between ${portMin} and ${portMax} on 127.0.0.1. End what holds them.`);
		},
		/** Name → port of all given so far. */
		given: (): Record<string, number> => ({ ...given }),
	};
}

function isFree(port: number): Promise<boolean> {
	return new Promise((done) => {
		const server = createServer();
		server.once("error", () => done(false));
		server.listen({ port, host: "127.0.0.1", exclusive: true }, () => server.close(() => done(true)));
	});
}
