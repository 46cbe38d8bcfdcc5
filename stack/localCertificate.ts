// A certificate authority of this folder alone, and the API's certificate from it, for trying out TLS.

import "reflect-metadata";
import { webcrypto, X509Certificate } from "node:crypto";
import { join } from "node:path";
import {
	AuthorityKeyIdentifierExtension,
	BasicConstraintsExtension,
	ExtendedKeyUsage,
	ExtendedKeyUsageExtension,
	KeyUsageFlags,
	KeyUsagesExtension,
	PemConverter,
	X509Certificate as SignedCertificate,
	SubjectAlternativeNameExtension,
	SubjectKeyIdentifierExtension,
	X509CertificateGenerator,
} from "@peculiar/x509";
import { makePrivateFolder, readIfThere, writePrivateFile } from "./files.ts";

export type LocalCertificate = { authorityFile: string; certificateFile: string; keyFile: string };

const dayMs = 24 * 3600_000;
const authorityDays = 3650;
const certificateDays = 90;
const renewDaysLeft = 30;
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const names = [
	{ type: "dns", value: "localhost" },
	{ type: "ip", value: "127.0.0.1" },
	{ type: "ip", value: "::1" },
] as const;

/** The certificate for this machine's loopback names, below `dir` and readable by its owner only; made, or renewed, if it must be. */
export async function localCertificate(dir: string, now = Date.now()): Promise<LocalCertificate> {
	const folder = makePrivateFolder(join(dir, "tls"));
	const files = {
		authorityFile: join(folder, "authority.pem"),
		certificateFile: join(folder, "certificate.pem"),
		keyFile: join(folder, "key.pem"),
	};
	const authorityKeyFile = join(folder, "authority.key.pem");
	const known = readIfThere(files.certificateFile);
	const authority = readIfThere(files.authorityFile);
	if (known && authority && readIfThere(files.keyFile) && isGood(known, authority, now)) return files;
	const issuer = (await readAuthority(authority, readIfThere(authorityKeyFile), now)) ?? (await makeAuthority(now));
	writePrivateFile(authorityKeyFile, await toPem(issuer.privateKey));
	writePrivateFile(files.authorityFile, `${issuer.certificate.toString("pem")}\n`);
	const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
	const certificate = await X509CertificateGenerator.create({
		...validity(now, certificateDays),
		subject: "CN=localhost",
		issuer: issuer.certificate.subject,
		publicKey: keys.publicKey,
		signingKey: issuer.privateKey,
		signingAlgorithm: algorithm,
		extensions: [
			new BasicConstraintsExtension(false, undefined, true),
			new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
			new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
			new SubjectAlternativeNameExtension([...names]),
			await AuthorityKeyIdentifierExtension.create(issuer.certificate.publicKey),
			await SubjectKeyIdentifierExtension.create(keys.publicKey),
		],
	});
	writePrivateFile(files.keyFile, await toPem(keys.privateKey));
	writePrivateFile(files.certificateFile, `${certificate.toString("pem")}\n`);
	return files;
}

function isGood(certificate: string, authority: string, now: number): boolean {
	try {
		const parsed = new X509Certificate(certificate);
		const left = Date.parse(parsed.validTo) - now;
		return left > renewDaysLeft * dayMs && parsed.verify(new X509Certificate(authority).publicKey);
	} catch {
		return false;
	}
}

async function readAuthority(certificate: string | undefined, key: string | undefined, now: number) {
	if (!certificate || !key) return undefined;
	try {
		const parsed = new SignedCertificate(certificate);
		if (parsed.notAfter.getTime() - now < certificateDays * dayMs) return undefined;
		const privateKey = await webcrypto.subtle.importKey("pkcs8", PemConverter.decodeFirst(key), algorithm, true, [
			"sign",
		]);
		return { certificate: parsed, privateKey };
	} catch {
		return undefined;
	}
}

async function makeAuthority(now: number) {
	const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
	const certificate = await X509CertificateGenerator.createSelfSigned({
		...validity(now, authorityDays),
		name: "CN=Lethe local authority",
		keys,
		signingAlgorithm: algorithm,
		extensions: [
			new BasicConstraintsExtension(true, 0, true),
			new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
			await SubjectKeyIdentifierExtension.create(keys.publicKey),
		],
	});
	return { certificate, privateKey: keys.privateKey };
}

// A clock that is set back a little must not make it invalid.
function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
	return { notBefore: new Date(now - 3600_000), notAfter: new Date(now + days * dayMs) };
}

async function toPem(key: webcrypto.CryptoKey): Promise<string> {
	return `${PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY")}\n`;
}
