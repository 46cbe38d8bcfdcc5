// What to do where a key is not pinned: it may have come with a rotation since.

export const pinAnew = "if a new one signs since, get the keys anew and compare them over another channel";
