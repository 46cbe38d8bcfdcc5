// Certificates in the store: kept once, what they say packed, and given out as the very text that was signed.

import type { mongo } from "mongoose";
import { createBatcher } from "../batcher.ts";
import { findPage, type Place } from "./findPage.ts";
import { guardStore } from "./guard.ts";
import { insertAll } from "./insertAll.ts";
import type { CertificateDocument } from "./models.ts";
import { bytesOf, type Packed, pack, unpack } from "./packing.ts";

/** A certificate as it is stored; older ones have their text as it is. */
export type StoredCertificate = Omit<CertificateDocument, "jws"> & {
	jws?: string;
	/** The signature, then header and payload. */
	packed?: Packed;
};

/** Bytes of an Ed25519 signature. */
const signatureBytes = 64;

/** Each call throws LetheError store_unavailable when the server can't answer. */
export function createCertificateStore(collection: mongo.Collection<StoredCertificate>) {
	return {
		/** False when one of that id stands: the first is kept. */
		insert: createBatcher<CertificateDocument, boolean>({
			itemsMax: 100,
			inFlightMax: 2,
			run: (documents) =>
				guardStore(async () =>
					(await insertAll(collection, documents.map(storeCertificate))).map((done) => done === "inserted"),
				),
		}),
		find: (id: string) =>
			guardStore(async () => {
				const found = await collection.findOne({ _id: id });
				return found ? readCertificate(found) : undefined;
			}),
		/** Those that there are of these. */
		findAll: (ids: string[]) =>
			guardStore(async () => (await collection.find({ _id: { $in: ids } }).toArray()).map(readCertificate)),
		/** A page of a tenant's about one thing, newest first, after the cursor's place. */
		page: (tenantId: string, about: string, itemsMax: number, after?: Place) =>
			guardStore(async () =>
				(await findPage(collection, { tenantId, about }, "issuedAt", { itemsMax, after })).map(readCertificate),
			),
	};
}

type About = Omit<CertificateDocument, "jws">;

/** As it is stored: packed, if exactly what was signed comes of that again. */
export function storeCertificate({ jws, ...about }: CertificateDocument): StoredCertificate {
	const [header, payload, signature] = jws.split(".").map((part) => Buffer.from(part, "base64url"));
	if (signature?.length !== signatureBytes) return { ...about, jws };
	const said = saidBy(about);
	const short = exchange(`${payload}`, (name, value) => (value === said.get(name) ? null : value));
	const packed = Buffer.concat([signature, pack(`${header}\n${short}`)]);
	return openText(packed, about) === jws ? { ...about, packed } : { ...about, jws };
}

export function readCertificate({ jws, packed, ...about }: StoredCertificate): CertificateDocument {
	return { ...about, jws: jws ?? (packed ? openText(bytesOf(packed), about) : "") };
}

function openText(packed: Uint8Array, about: About): string {
	const [header = "", short = ""] = unpack(packed.subarray(signatureBytes)).split("\n");
	const said = saidBy(about);
	const payload = exchange(short, (name, value) => (value === null ? said.get(name) : value));
	const parts = [Buffer.from(header), Buffer.from(payload), Buffer.from(packed.subarray(0, signatureBytes))];
	return parts.map((part) => part.toString("base64url")).join(".");
}

/** What its document says of a certificate as well as its payload does. */
function saidBy({ _id, tenantId, issuedAt }: About): ReadonlyMap<string, string> {
	return new Map([
		["id", _id],
		["tenantId", tenantId],
		["issuedAt", new Date(issuedAt).toISOString()],
	]);
}

/** A payload with other values in the same order; what is no JSON object stays as it is. */
function exchange(payload: string, replace: (name: string, value: unknown) => unknown): string {
	try {
		const said = Object.entries(JSON.parse(payload));
		return JSON.stringify(Object.fromEntries(said.map(([name, value]) => [name, replace(name, value)])));
	} catch {
		return payload;
	}
}
