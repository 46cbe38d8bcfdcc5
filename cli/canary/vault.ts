// Vault read through its API: the names of all transit keys, and the names and metadata of all key-value secrets.

import { bytesOf } from "./bytes.ts";
import type { Open, Place } from "./examine.ts";

/** Its policy is in the Vault adapter; it may list and read metadata, and write only under `kv/metadata/canary/`. */
const role = "canary";
const controlsPerSecret = 32;
const triesMax = 5;

type Call = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: unknown; path: string }>;

export function vaultPlace(options: { url: string; issuerToken: () => Promise<string>; id: string }): Place {
	let call: Call | undefined;
	const connected = async (): Promise<Call> => {
		call ??= await login(options.url, await options.issuerToken());
		return call;
	};
	return {
		name: "vault, through the server",
		holds: "text",
		async plant(samples) {
			const vault = await connected();
			const paths: string[] = [];
			const remove = async () => {
				for (const path of paths) await must(vault("DELETE", path));
				await vault("POST", "auth/token/revoke-self");
			};
			for (let from = 0; from < samples.length; from += controlsPerSecret) {
				const path = `kv/metadata/canary/${options.id}-${from}`;
				const entries = samples
					.slice(from, from + controlsPerSecret)
					.map((sample, at) => [`c${at}`, sample.bytes.toString()]);
				paths.push(path);
				await must(vault("POST", path, { custom_metadata: Object.fromEntries(entries) })).catch(async (error) => {
					await remove().catch(() => undefined);
					throw error;
				});
			}
			return { sources: ["kv metadata"], remove };
		},
		async read(open) {
			const vault = await connected();
			await readKeys(vault, open);
			const sink = open("kv metadata");
			await readMetadata(vault, "", (answer) => sink.write(bytesOf(answer)));
			await sink.end();
		},
	};
}

async function readKeys(vault: Call, open: Open): Promise<void> {
	const sink = open("transit keys");
	await sink.write(bytesOf(await list(vault, "transit/keys")));
	await sink.end();
}

async function readMetadata(vault: Call, folder: string, write: (answer: unknown) => Promise<void>): Promise<void> {
	const names = await list(vault, `kv/metadata/${folder}`);
	await write(names);
	for (const name of names) {
		if (name.endsWith("/")) await readMetadata(vault, `${folder}${name}`, write);
		else await write((await must(vault("GET", `kv/metadata/${folder}${name}`))).body);
	}
}

async function list(vault: Call, path: string): Promise<string[]> {
	const answer = await vault("LIST", path.replace(/\/$/, ""));
	if (answer.status === 404) return [];
	const { body } = await must(Promise.resolve(answer));
	return (body as { data: { keys: string[] } }).data.keys;
}

/** A token of the canary's own role, by way of a single-use wrapped secret-id as every process gets one. */
async function login(url: string, issuerToken: string): Promise<Call> {
	const asIssuer = connect(url, issuerToken, { "x-vault-wrap-ttl": "60s" });
	const plainIssuer = connect(url, issuerToken);
	const roleId = await must(plainIssuer("GET", `auth/approle/role/lethe-${role}/role-id`));
	const wrapped = await must(asIssuer("POST", `auth/approle/role/lethe-${role}/secret-id`, {}));
	const wrappingToken = (wrapped.body as { wrap_info: { token: string } }).wrap_info.token;
	const secretId = await must(connect(url, wrappingToken)("POST", "sys/wrapping/unwrap"));
	const session = await must(
		connect(url, "")("POST", "auth/approle/login", {
			role_id: (roleId.body as { data: { role_id: string } }).data.role_id,
			secret_id: (secretId.body as { data: { secret_id: string } }).data.secret_id,
		}),
	);
	return connect(url, (session.body as { auth: { client_token: string } }).auth.client_token);
}

function connect(url: string, token: string, more: Record<string, string> = {}): Call {
	const once: Call = async (method, path, body) => {
		const answer = await fetch(new URL(`/v1/${path}`, url), {
			method,
			headers: { ...more, ...(token ? { "x-vault-token": token } : {}), connection: "close" },
			signal: AbortSignal.timeout(10_000),
			...(body === undefined ? {} : { body: JSON.stringify(body) }),
		});
		const text = await answer.text();
		return { status: answer.status, body: text === "" ? undefined : JSON.parse(text), path };
	};
	return async (...request) => {
		let answer = await once(...request);
		// A commit that raced another one fails with 500 and has changed nothing.
		for (let tries = 1; tries < triesMax && answer.status === 500; tries++) answer = await once(...request);
		return answer;
	};
}

async function must(request: ReturnType<Call>): ReturnType<Call> {
	const answer = await request;
	if (answer.status < 300) return answer;
	throw new Error(`Vault answers ${answer.status} to ${answer.path}: provision its role lethe-${role}`);
}
