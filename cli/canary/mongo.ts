// MongoDB read through its server, which decompresses: every document of every collection of every database.

import mongoose from "mongoose";
import type { ServerTls } from "../../adapters/serverTls.ts";
import type { Open, Place } from "./examine.ts";
import type { Sink } from "./search.ts";

const { MongoClient, Binary } = mongoose.mongo;
type Client = InstanceType<typeof MongoClient>;

/** Opens a client for reading; the caller closes it. */
export function openMongo(url: string, tls?: ServerTls): Client {
	const waits = { serverSelectionTimeoutMS: 5_000, connectTimeoutMS: 5_000 };
	return new MongoClient(url, { ...waits, retryWrites: false, ...(tls ? { tls: true, ...tls } : {}) });
}

export function mongoPlace(client: Client, id: string): Place {
	const database = `lethe_canary_${id}`;
	return {
		name: "mongodb, through the server",
		holds: "bytes",
		async plant(samples) {
			const control = client.db(database);
			await control.collection("controls").insertMany(
				samples.map(({ encoding, term, bytes }) => ({
					encoding: `${term.label} ${encoding}`,
					value: new Binary(bytes),
				})),
			);
			// A server without replication keeps none.
			const keepsOplog = (await client.db(oplog.database).collection(oplog.name).findOne()) !== null;
			return {
				sources: [`${database}.controls`, ...(keepsOplog ? [`${oplog.database}.${oplog.name}`] : [])],
				remove: async () => {
					await control.dropDatabase();
				},
			};
		},
		async read(open) {
			const { databases } = await client.db("admin").admin().listDatabases({ nameOnly: true });
			const names = new Set([...databases.map(({ name }) => name), oplog.database]);
			for (const name of names) await readDatabase(client, name, open);
		},
	};
}

// Not every server lists it, though it can be read.
const oplog = { database: "local", name: "oplog.rs" };

async function readDatabase(client: Client, database: string, open: Open): Promise<void> {
	const listed = await client.db(database).listCollections({}, { nameOnly: false }).toArray();
	const stored = listed.filter(({ type }) => type !== "view").map(({ name }) => name);
	const names = new Set([...stored, ...(database === oplog.database ? [oplog.name] : [])]);
	for (const name of names) {
		try {
			await readCollection(client.db(database).collection(name), open(`${database}.${name}`));
		} catch (error) {
			// Dropped meanwhile, it holds nothing.
			const [stillThere] = await client.db(database).listCollections({ name }).toArray();
			if (stillThere || !stored.includes(name)) throw error;
		}
	}
}

type Collection = ReturnType<ReturnType<Client["db"]>["collection"]>;

async function readCollection(collection: Collection, sink: Sink): Promise<void> {
	// Raw BSON: strings and binaries stand in it as they are.
	const documents = collection.find({}, { raw: true, batchSize: 500 });
	for await (const document of documents) await sink.write(document as unknown as Buffer);
	await sink.write(Buffer.from(`${collection.collectionName}\n${JSON.stringify(await indexesOf(collection))}`));
	await sink.end();
}

const namespaceNotFound = 26;

/** Their names and filters; none for a collection that is gone by now. */
async function indexesOf(collection: Collection): Promise<unknown[]> {
	try {
		return await collection.indexes();
	} catch (error) {
		if ((error as { code?: number }).code === namespaceNotFound) return [];
		throw error;
	}
}
