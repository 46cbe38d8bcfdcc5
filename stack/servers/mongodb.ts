// A server of MongoDB's wire protocol: MongoDB itself, or a stand-in that keeps acknowledged writes.

import { join } from "node:path";
import mongoose from "mongoose";
import { writePrivateFile } from "../files.ts";
import type { ForeignOptions, ForeignServer, Server, ServerOptions } from "./server.ts";

export type MongodbAddress = { url: string };

/** Plans a server with its data in a folder of its own. */
export async function planMongodb(options: ServerOptions): Promise<Server<MongodbAddress>> {
	const { program, dataDir } = options;
	const port = await options.port("mongodb");
	const url = `mongodb://127.0.0.1:${port}/?directConnection=true`;
	return {
		address: { url },
		command: program.command,
		args: [...program.args, ...(program.engine === "mongod" ? mongodArgs(port, dataDir) : secantusArgs(port, dataDir))],
		answers: () => checkMongodb(url),
		readyMs: 60_000,
	};
}

/** A MongoDB that runs elsewhere. */
export function adoptMongodb({ url }: ForeignOptions): ForeignServer<MongodbAddress> {
	return { address: { url }, answers: () => checkMongodb(url) };
}

/** @throws when the server does not answer a ping */
async function checkMongodb(url: string): Promise<void> {
	const client = new mongoose.mongo.MongoClient(url, { serverSelectionTimeoutMS: 2_000, connectTimeoutMS: 2_000 });
	try {
		await client.db("admin").command({ ping: 1 });
	} finally {
		await client.close();
	}
}

function mongodArgs(port: number, dataDir: string): string[] {
	return ["--dbpath", dataDir, "--bind_ip", "127.0.0.1", "--port", String(port), "--nounixsocket", "--quiet"];
}

function secantusArgs(port: number, dataDir: string): string[] {
	// An empty file of settings keeps it from reading one of the user's.
	const settings = join(dataDir, "empty.toml");
	writePrivateFile(settings, "");
	return [
		...["--config", settings, "--host", "127.0.0.1", "--port", String(port), "--log-level", "WARNING"],
		...["--storage-path", join(dataDir, "data"), "--cache-size", "512M"],
		// Without it a write acknowledged as journaled may be lost.
		"--sync-on-commit",
	];
}
