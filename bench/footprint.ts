// What the engine and its servers take of the machine: memory by process, disk by server, documents by collection.

import mongoose from "mongoose";
import { loadConfig } from "../config.ts";
import type { Stack } from "../stack/stack.ts";
import { bytesIn, proportionalBytes, residentBytes } from "./measure.ts";

/** Lethe's own processes by name, with their ids; the simulated carrier is none of them. */
export function ownPids(stack: Stack): Record<string, number | null> {
	const { carrier: _, ...own } = stack.state().processes;
	return Object.fromEntries(Object.entries(own).map(([name, { pid }]) => [name, pid]));
}

/**
 * Memory of Lethe's processes together and each, and of the servers; null where it is not told. `letheBytes`: resident, each
 * process by itself, so that what they share counts with each; `letheSharedOnceBytes`: with each its share of that.
 */
export function memoryOf(stack: Stack) {
	const { servers } = stack.state();
	const of = (pids: [string, number | null][], read = residentBytes) =>
		Object.fromEntries(pids.map(([name, pid]) => [name, pid === null ? null : read(pid)]));
	const own = Object.entries(ownPids(stack));
	const lethe = of(own);
	return {
		letheBytes: sum(lethe),
		letheSharedOnceBytes: sum(of(own, proportionalBytes)),
		lethe,
		servers: of(Object.entries(servers).map(([name, { pid }]) => [name, pid])),
	};
}

function sum(sizes: Record<string, number | null>): number {
	return Object.values(sizes).reduce<number>((total, bytes) => total + (bytes ?? Number.NaN), 0);
}

/** Server → bytes of its data folder, of those that this stack runs. */
export function dataBytes(stack: Stack): Record<string, number> {
	const entries = Object.entries(stack.state().servers);
	return Object.fromEntries(entries.flatMap(([name, { dataDir }]) => (dataDir ? [[name, bytesIn(dataDir)]] : [])));
}

/** A connection of its own to the database of this stack's processes. */
export function connectToStore(stack: Stack): Promise<mongoose.Connection> {
	const { url } = stack.state().servers.mongodb;
	const { database: dbName } = loadConfig({}).mongodb;
	return mongoose.createConnection(url, { dbName, autoIndex: false }).asPromise();
}

/** Collection → bytes of its documents as BSON, however the store compresses them. */
export async function storedBytes(stack: Stack): Promise<Record<string, number>> {
	const connection = await connectToStore(stack);
	try {
		const bytes: Record<string, number> = {};
		for (const { name } of await connection.listCollections()) {
			bytes[name] = 0;
			for await (const document of connection.collection(name).find({})) bytes[name] += bsonBytes(document);
		}
		return bytes;
	} finally {
		await connection.close();
	}
}

export function bsonBytes(document: object): number {
	return mongoose.mongo.BSON.calculateObjectSize(document);
}
