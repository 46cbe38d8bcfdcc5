// A device with passkeys, in software: makes and shows credentials as browsers hand them over (WebAuthn Level 3, 6 and 7).

import { createHash, createSign, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";

type Options = { challenge: string; rpId?: string; rp?: { id?: string }; user?: { id: string } };

const flags = { present: 0x01, verified: 0x04, attested: 0x40 };

/** One device at one origin; `verifies`: whether it asks its owner for more than a touch. */
export function createAuthenticator(origin: string, { verifies = true } = {}) {
	const held: { id: Buffer; key: KeyObject; userHandle: string; counter: number }[] = [];
	const rpIdHash = createHash("sha256").update(new URL(origin).hostname).digest();
	const clientData = (type: string, challenge: string, from = origin) =>
		Buffer.from(JSON.stringify({ type, challenge, origin: from, crossOrigin: false }));
	const head = (more: number, counter: number) => {
		const count = Buffer.alloc(4);
		count.writeUInt32BE(counter);
		return Buffer.concat([rpIdHash, Buffer.from([flags.present | (verifies ? flags.verified : 0) | more]), count]);
	};

	return {
		/** Makes a credential. */
		create({ challenge, user }: Options) {
			const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
			const id = randomBytes(32);
			held.push({ id, key: privateKey, userHandle: user?.id ?? "", counter: 0 });
			const { x = "", y = "" } = publicKey.export({ format: "jwk" });
			// COSE_Key: EC2, ES256, P-256.
			const cose = Buffer.concat([
				Buffer.from("a5010203262001215820", "hex"),
				Buffer.from(x, "base64url"),
				Buffer.from("225820", "hex"),
				Buffer.from(y, "base64url"),
			]);
			const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([0, id.length]), id, cose]);
			const authData = Buffer.concat([head(flags.attested, 0), attested]);
			// CBOR: {fmt: "none", attStmt: {}, authData}.
			const attestation = Buffer.concat([
				Buffer.from("a363666d74646e6f6e656761747453746d74a0686175746844617461", "hex"),
				Buffer.from([0x58, authData.length]),
				authData,
			]);
			return credential(id, {
				clientDataJSON: clientData("webauthn.create", challenge).toString("base64url"),
				attestationObject: attestation.toString("base64url"),
				transports: ["internal"],
			});
		},
		/** Shows its newest credential. `from`: another origin that asks; `isCopy`: as a copy of it would, by the count that it had. */
		get({ challenge }: Options, { from = origin, isCopy = false } = {}) {
			const one = held.at(-1);
			if (!one) throw new Error("it has no credential");
			if (!isCopy) one.counter++;
			const authenticatorData = head(0, one.counter);
			const data = clientData("webauthn.get", challenge, from);
			const signed = Buffer.concat([authenticatorData, createHash("sha256").update(data).digest()]);
			return credential(one.id, {
				clientDataJSON: data.toString("base64url"),
				authenticatorData: authenticatorData.toString("base64url"),
				signature: createSign("sha256").update(signed).sign(one.key).toString("base64url"),
				userHandle: one.userHandle,
			});
		},
	};
}

function credential(id: Buffer, response: object) {
	const text = id.toString("base64url");
	return { id: text, rawId: text, type: "public-key", clientExtensionResults: {}, response };
}
