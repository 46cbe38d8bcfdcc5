// Confirms that a topic of ours may bring us its messages.

import { request } from "undici";

const topicArn = /^arn:aws(-cn|-us-gov)?:sns:([a-z]{2,8}(?:-[a-z]{2,16}){1,3}-\d{1,2}):\d{12}:[\w-]{1,256}(?:\.fifo)?$/;

/** Whether it is a topic's name as SNS writes it. */
export function isTopicArn(text: string): boolean {
	return topicArn.test(text);
}

/**
 * True once SNS took the confirmation. It is asked at the address that the topic's own name gives: the one in the message
 * is signed by SNS for whoever owns a topic, and is not looked at.
 * @param topic one that the operator named
 * @param token of an authentic SubscriptionConfirmation
 */
export async function confirmSubscription(topic: string, token: string, signal: AbortSignal): Promise<boolean> {
	const [, partition, region] = topicArn.exec(topic) ?? [];
	if (region === undefined || !/^[\w-]{1,2048}$/.test(token)) return false;
	const host = `sns.${region}.amazonaws.com${partition === "-cn" ? ".cn" : ""}`;
	const query = new URLSearchParams({ Action: "ConfirmSubscription", TopicArn: topic, Token: token });
	try {
		// A redirect is not followed: it is no 200.
		const { statusCode, body } = await request(`https://${host}/?${query}`, { signal });
		await body.dump();
		return statusCode === 200;
	} catch {
		return false;
	}
}
