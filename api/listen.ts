// Where the API is heard: plain HTTP on loopback, TLS beside it with a certificate that may change while it runs.

import { X509Certificate } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { createServer, type Server, type ServerOptions } from "node:https";
import { isIP, type Server as NetServer, type Socket } from "node:net";
import { createSecureContext } from "node:tls";
import { limits } from "../domain/limits.ts";
import { isWithin, networkOf } from "./addresses.ts";
import type { ApiDeps } from "./deps.ts";
import type { Instance } from "./instance.ts";

export type TlsSettings = {
	host: string;
	port: number;
	certificateFile: string;
	keyFile: string;
	/** Whose client certificates are known; with `required`, who has none is turned away. */
	clientAuthorityFile: string | undefined;
	clientCertificates: "none" | "optional" | "required";
};

type Options = {
	host: string;
	port: number;
	/** Plain HTTP beyond this machine, where something else brings TLS. */
	plainAnywhere: boolean;
	connectionsMax: number;
	/** Of them those of one address: who opens many and says nothing on them must not keep others out. */
	addressConnectionsMax: number;
	/** Proxies, whose connections are many callers'. */
	trustedProxies: readonly string[];
	tls: TlsSettings | undefined;
	/** How often the certificate's files are looked at; milliseconds. */
	lookEveryMs?: number;
};

// Mozilla's "intermediate" profile, 5.7: TLS 1.2 by its AEAD suites with forward secrecy, and TLS 1.3.
const cipherSuites = [
	...["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"],
	...["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"],
	...["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"],
].join(":");
const groups = "X25519:prime256v1:secp384r1";
const lookEveryMsDefault = 10_000;
const handshakeMsMax = 10_000;

/**
 * Listens; answers the addresses.
 * @throws ListenError when plain HTTP would be heard beyond this machine unasked, a certificate does not do, or an address
 * is taken
 */
export async function listen(app: Instance, options: Options, { log }: Pick<ApiDeps, "log">) {
	const { host, port, plainAnywhere, connectionsMax, tls } = options;
	if (!plainAnywhere && !isLoopback(host)) {
		throw new ListenError(
			"LETHE_API_HOST: plain HTTP is for loopback. Set LETHE_TLS_HOST with a certificate, or LETHE_PLAIN_HTTP=anywhere where a proxy brings TLS.",
		);
	}
	app.server.maxConnections = connectionsMax;
	const secure = tls && createTlsServer(app, { ...options, tls }, log);
	limitAddresses(
		[app.server, secure].filter((server) => server !== undefined),
		options,
	);
	const url = await app.listen({ host, port }).catch((error) => refuseAddress("LETHE_API", options, error));
	if (!secure) return { url };
	await new Promise<void>((resolve, reject) => {
		secure.once("error", reject).listen({ host: tls.host, port: tls.port }, resolve);
	}).catch((error) => refuseAddress("LETHE_TLS", tls, error));
	const { port: bound } = secure.address() as { port: number };
	return { url, tlsUrl: `https://${isIP(tls.host) === 6 ? `[${tls.host}]` : tls.host}:${bound}` };
}

function refuseAddress(
	settings: "LETHE_API" | "LETHE_TLS",
	{ host, port }: Pick<Options, "host" | "port">,
	error: NodeJS.ErrnoException,
): never {
	const { code, syscall } = error;
	// What listens is made ready first: that it was not is no port's fault.
	if (syscall === undefined) throw error;
	throw new ListenError(
		`${settings}_PORT: ${port} can't be listened on at ${host} (${code}). End what does, or set another, or another ${settings}_HOST.`,
	);
}

/** Closes what one address opens beyond its share, before anything of it is read. */
function limitAddresses(
	servers: readonly NetServer[],
	{ addressConnectionsMax, trustedProxies }: Pick<Options, "addressConnectionsMax" | "trustedProxies">,
): void {
	const open = new Map<string, number>();
	const take = (socket: Socket): void => {
		const address = socket.remoteAddress ?? "";
		if (isWithin(trustedProxies, address)) return;
		const from = networkOf(address);
		const count = (open.get(from) ?? 0) + 1;
		if (count > addressConnectionsMax) return void socket.destroy();
		open.set(from, count);
		socket.once("close", () => {
			const left = (open.get(from) ?? 1) - 1;
			if (left > 0) open.set(from, left);
			else open.delete(from);
		});
	};
	for (const server of servers) server.on("connection", take);
}

/** A listener that can't be as it was asked for; the message names the setting and the mend. */
export class ListenError extends Error {}

// One application behind both: what TLS brings goes the way that plain HTTP goes.
function createTlsServer(app: Instance, options: Options & { tls: TlsSettings }, log: ApiDeps["log"]): Server {
	const { tls, connectionsMax } = options;
	const server = createServer(
		{
			...readMaterial(tls),
			handshakeTimeout: handshakeMsMax,
			requestCert: tls.clientCertificates !== "none",
			rejectUnauthorized: tls.clientCertificates === "required",
			maxHeaderSize: limits.headerBytesMax,
			headersTimeout: app.server.headersTimeout,
			requestTimeout: app.server.requestTimeout,
			connectionsCheckingInterval: limits.slowCallersSeenMs,
			keepAliveTimeout: app.server.keepAliveTimeout,
		},
		(request, response) => void app.server.emit("request", request, response),
	);
	server.maxConnections = connectionsMax;
	server.setTimeout(limits.socketIdleMsMax);
	server.on("clientError", (error, socket) => void app.server.emit("clientError", error, socket));
	// A handshake that fails is some scanner's, or a caller's who can't be told: never what arrived.
	server.on("tlsClientError", (error: NodeJS.ErrnoException) => log.debug({ code: error.code }, "no handshake"));
	const stop = followFiles(server, options, log);
	app.addHook("preClose", async () => {
		stop();
		await new Promise((resolve) => {
			server.close(resolve);
			server.closeIdleConnections();
		});
	});
	return server;
}

/** Takes a renewed certificate up; one that does not do changes nothing, and is told once. */
function followFiles(server: Server, { tls, lookEveryMs }: Options & { tls: TlsSettings }, log: ApiDeps["log"]) {
	let known = stampOf(tls);
	const timer = setInterval(() => {
		const stamp = stampOf(tls);
		if (stamp === known) return;
		known = stamp;
		try {
			server.setSecureContext(readMaterial(tls));
			log.info({ code: "certificate_renewed" }, "TLS certificate taken up");
		} catch {
			log.error({ code: "certificate_unusable" }, "the TLS certificate changed and can't be used; the old one stays");
		}
	}, lookEveryMs ?? lookEveryMsDefault);
	timer.unref();
	return () => clearInterval(timer);
}

// Mounted secrets are renewed by changing what a link points to: what counts is what is behind it.
function stampOf({ certificateFile, keyFile, clientAuthorityFile }: TlsSettings): string {
	return [certificateFile, keyFile, clientAuthorityFile]
		.map((file) => (file === undefined ? "" : stampOfFile(file)))
		.join("\n");
}

// What can't be looked at is as if it were not there: whatever becomes of the files, it ends no process.
function stampOfFile(file: string): string {
	try {
		const { ino, size, mtimeMs } = statSync(file);
		return `${ino} ${size} ${mtimeMs}`;
	} catch {
		return "";
	}
}

function readMaterial({ certificateFile, keyFile, clientAuthorityFile }: TlsSettings): ServerOptions {
	const cert = readCertificate("LETHE_TLS_CERTIFICATE_FILE", certificateFile);
	const key = readAs("LETHE_TLS_KEY_FILE", keyFile);
	const ca = clientAuthorityFile && readCertificate("LETHE_TLS_CLIENT_AUTHORITY_FILE", clientAuthorityFile);
	const material: ServerOptions = {
		cert,
		key,
		ciphers: cipherSuites,
		ecdhCurve: groups,
		minVersion: "TLSv1.2",
		maxVersion: "TLSv1.3",
		// Without one none is known: by default it would be whoever has a certificate of any public authority.
		ca: ca ?? [],
	};
	try {
		createSecureContext(material);
	} catch {
		throw new ListenError(
			"LETHE_TLS_KEY_FILE: the file holds no private key in PEM, or another's than that of the certificate in LETHE_TLS_CERTIFICATE_FILE. Mount the two that belong together.",
		);
	}
	return material;
}

function readAs(setting: string, file: string): string {
	try {
		return readFileSync(file, "utf8");
	} catch {
		throw new ListenError(`${setting}: the file can't be read. Mount it, or correct it.`);
	}
}

function readCertificate(setting: string, file: string): string {
	const text = readAs(setting, file);
	try {
		new X509Certificate(text);
		return text;
	} catch {
		throw new ListenError(`${setting}: the file holds no certificate in PEM. Mount it, or correct it.`);
	}
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
