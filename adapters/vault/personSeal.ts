// What is kept of people who sign in, encrypted by Vault itself under their tenant's key: no process holds that key.

import { LetheError } from "../../domain/errors.ts";
import { Plaintext } from "../../domain/plaintext.ts";
import type { VaultClient } from "./client.ts";
import { pathSegment, vaultFailure } from "./connection.ts";

/** Where a ciphertext belongs: nobody's is opened as another's. */
export type PersonPlace = { tenantId: string; personId: string; field: "name" | "totp" };

export type PersonSeal = ReturnType<typeof createPersonSeal>;

/** For the api and the admin role. Its functions throw LetheError keys_unavailable while Vault is away. */
export function createPersonSeal({ vault }: { vault: Pick<VaultClient, "write"> }) {
	return {
		/** The first use for a tenant makes its key. */
		async seal(place: PersonPlace, plaintext: Plaintext): Promise<string> {
			const body = { plaintext: Buffer.from(plaintext.bytes()).toString("base64"), ...bind(place) };
			return (await vault.write(`transit/encrypt/${personKeyName(place.tenantId)}`, body)).data.ciphertext as string;
		},
		/** @throws LetheError internal when it belongs elsewhere, was changed, or its key is gone */
		async open(place: PersonPlace, sealed: string): Promise<Plaintext> {
			const body = { ciphertext: sealed, ...bind(place) };
			try {
				const answer = await vault.write(`transit/decrypt/${personKeyName(place.tenantId)}`, body);
				return Plaintext.of(Buffer.from(answer.data.plaintext as string, "base64"));
			} catch (error) {
				if (vaultFailure(error)?.status !== 400) throw error;
				throw new LetheError("internal", { cause: "not_authentic" });
			}
		},
	};
}

/** Of the key that a tenant's people are kept under. */
export function personKeyName(tenantId: string): string {
	return `people-${pathSegment(tenantId)}`;
}

function bind({ tenantId, personId, field }: PersonPlace) {
	return { associated_data: Buffer.from(`lethe/person/v1/${tenantId}/${personId}/${field}`).toString("base64") };
}
