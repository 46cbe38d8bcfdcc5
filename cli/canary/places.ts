// Every place of a running deployment that is searched, as a list made from the stack's file.

import { readFile } from "node:fs/promises";
import { Client, Connection } from "@temporalio/client";
import type { ServerTls } from "../../adapters/serverTls.ts";
import type { StackState } from "../../stack/stackFile.ts";
import { answersPlace, type KeptAnswer } from "./answers.ts";
import { encryptedLogsPlace } from "./encryptedLogs.ts";
import type { Place } from "./examine.ts";
import { dataFilesPlace, logFilesPlace } from "./files.ts";
import { getError } from "./messages.ts";
import { mongoPlace, openMongo } from "./mongo.ts";
import { type Page, pagesPlace } from "./pages.ts";
import { openRedis, redisPlace } from "./redis.ts";
import { temporalPlace } from "./temporal.ts";
import { vaultPlace } from "./vault.ts";

/** What is not searched, and why. */
export const excludedPlaces = [
	{
		place: "the simulated carrier's own process, files and log",
		why: "the carrier is told the text and the number: that copy is its own, and an obligation in every certificate",
	},
] as const;

/** The places, and what closes the connections that they read through. */
export function openPlaces(options: {
	stack: StackState;
	messageIds: readonly string[];
	id: string;
	errors: readonly KeptAnswer[];
	logs: Parameters<typeof encryptedLogsPlace>[0];
	signal: AbortSignal;
	/** What each server's connection proves both sides by. */
	tls: { mongodb?: ServerTls | undefined; redis?: ServerTls | undefined };
}) {
	const { stack, id } = options;
	const { temporal, vault, mongodb, redis } = stack.servers;
	const { tls } = options;
	const mongo = openMongo(mongodb.url, tls.mongodb);
	const redisClient = openRedis(redis.url, tls.redis);
	const connection = Connection.lazy({ address: temporal.address, connectTimeout: 5_000 });
	const client = new Client({ connection, namespace: temporal.namespace });
	const places: Place[] = [
		...Object.entries(stack.servers).map(([name, { dataDir }]) =>
			onThisMachine(`${name}, raw files`, dataDir, (place, path) => dataFilesPlace(place, path, id)),
		),
		mongoPlace(mongo, id),
		redisPlace(redisClient, id),
		temporalPlace(client, temporal.namespace, id),
		vaultPlace({ url: vault.url, id, issuerToken: async () => (await readFile(vault.issuerTokenFile, "utf8")).trim() }),
		...logsOf(stack).map(([name, file]) => onThisMachine(name, file, (place, path) => logFilesPlace(place, path, id))),
		encryptedLogsPlace(options.logs),
		apiPlace(stack, options.messageIds),
		answersPlace(options.errors, (url) => getError(url, options.signal)),
	];
	return {
		places,
		async close(): Promise<void> {
			redisClient.disconnect();
			await Promise.allSettled([mongo.close(), connection.close()]);
		},
	};
}

function logsOf({ servers, processes }: StackState): [string, string | null][] {
	const own = Object.entries(processes).filter(([name]) => name !== "carrier");
	return [
		["vault, audit log", servers.vault.auditFile],
		...Object.entries(servers).map(([name, { logFile }]): [string, string | null] => [`${name}, output`, logFile]),
		...own.map(([name, process]): [string, string | null] => [`${name}, output`, process?.logFile ?? null]),
	];
}

/** A server that others run keeps its files elsewhere: they can't be read from here, and that is said, not skipped. */
function onThisMachine(name: string, path: string | null, place: (name: string, path: string) => Place): Place {
	if (path !== null) return place(name, path);
	const refuse = () => Promise.reject(new Error("its files are not on this machine"));
	return { name, holds: "bytes", plant: refuse, read: refuse };
}

function apiPlace({ processes, demo }: StackState, messageIds: readonly string[]): Place {
	return pagesPlace({
		name: "api, metrics and answers",
		url: processes.api?.url ?? "",
		apiKey: demo?.apiKey ?? "",
		async pages(): Promise<Page[]> {
			const messages = messageIds.map((messageId) => ({ path: `/v1/messages/${messageId}`, proof: messageId }));
			return [
				{ path: "/metrics", proof: "# TYPE" },
				{ path: "/openapi.json", proof: "openapi" },
				{ path: "/readyz", proof: "mongo" },
				{ path: "/v1/messages?limit=100", proof: messageIds[0] ?? "" },
				...messages,
			];
		},
	});
}
