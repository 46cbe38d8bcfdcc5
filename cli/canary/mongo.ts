// MongoDB read through its server, which decompresses: every document of every collection of every database.

import mongoose from "mongoose";
import type { Open, Place } from "./place.ts";

const { MongoClient, Binary } = mongoose.mongo;
type Client = InstanceType<typeof MongoClient>;

/** Opens a client for reading; the caller closes it. */
export function openMongo(url: string): Client {
	return new MongoClient(url, { serverSelectionTimeoutMS: 5_000, connectTimeoutMS: 5_000, retryWrites: false });
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
			return {
				sources: [`${database}.controls`],
				remove: async () => {
					await control.dropDatabase();
				},
			};
		},
		async read(open) {
			const { databases } = await client.db("admin").admin().listDatabases({ nameOnly: true });
			for (const { name } of databases) await readDatabase(client, name, open);
		},
	};
}

async function readDatabase(client: Client, database: string, open: Open): Promise<void> {
	const collections = await client.db(database).listCollections({}, { nameOnly: false }).toArray();
	for (const { name, type } of collections) {
		if (type === "view") continue;
		const sink = open(`${database}.${name}`);
		const collection = client.db(database).collection(name);
		// Raw BSON: strings and binaries stand in it as they are.
		const documents = collection.find({}, { raw: true, batchSize: 500 });
		for await (const document of documents) await sink.write(document as unknown as Buffer);
		const indexes = JSON.stringify(await collection.indexes().catch(() => []));
		await sink.write(Buffer.from(`${name}\n${indexes}`));
		await sink.end();
	}
}
