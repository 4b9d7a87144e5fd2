// Number and token stand behind the # of the address, which browsers never send: they are in no log on the way.
import { ask, at, facts, speak, tell, words } from "./asking.js";

const QUERY = `query ($number: String!, $token: String!) { checkStatement(number: $number, token: $token) {
  verdict version initials examTitle headline } }`;

const WORDS = {
  en: {
    title: "Check a Statement of Results",
    checking: "Checking …",
    GENUINE: "Genuine. This statement is ours and stands as of now. Compare the following with the paper:",
    SUPERSEDED: "Superseded. This statement is ours, but stands no more. Ask the candidate for what stands now.",
    REVOKED: "Revoked. This statement is ours, but its result was revoked.",
    NOT_KNOWN: "Not known. We know no statement with this number and this check code. Check what you typed.",
    failed: "It can not be checked now. That says nothing about the statement: try again later.",
    tooMany: (time) => `It can not be checked now: too many checks. Try again after ${time}.`,
    initials: "Initials of the candidate",
    examTitle: "Qualification",
    nothing: "No award (the candidate was absent)",
    version: "Version of the statement",
  },
  ja: {
    title: "結果ステートメントの確認",
    checking: "確認しています…",
    GENUINE: "真正です。このステートメントは当機関が発行したもので、現在有効です。次の内容を書面と照合してください。",
    SUPERSEDED: "無効になった版です。当機関が発行したものですが、現在は有効ではありません。最新のものを受検者にお求めください。",
    REVOKED: "取り消されています。当機関が発行したものですが、試験結果は取り消されました。",
    NOT_KNOWN: "該当するものがありません。この番号と確認コードのステートメントは見つかりません。入力内容をご確認ください。",
    failed: "現在確認できません。ステートメントの真偽を示すものではありません。後でもう一度お試しください。",
    tooMany: (time) => `確認の回数が多すぎるため、現在確認できません。${time} 以降にもう一度お試しください。`,
    initials: "受検者のイニシャル",
    examTitle: "試験名",
    nothing: "結果なし（欠席）",
    version: "ステートメントの版",
  },
};
const FACTS = ["initials", "examTitle", "headline", "version"];
const VERDICTS = ["GENUINE", "SUPERSEDED", "REVOKED", "NOT_KNOWN"];
let asked = 0;

function factsOf(checked) {
  const isGenuine = checked.verdict === "GENUINE";
  const shown = isGenuine ? { ...checked, headline: checked.headline ?? words.nothing } : checked;
  return FACTS.map((name) => [words[name], shown[name]]);
}

function told(checked) {
  const list = facts(factsOf(checked));
  return [words[checked.verdict], ...(list.hasChildNodes() ? [list] : [])];
}

// Whatever is not one of the four verdicts, word for word, says that nothing could be checked.
async function verdict(number, token) {
  try {
    const { checkStatement: checked } = await ask(QUERY, { number, token }, { credentials: "omit" });
    if (VERDICTS.includes(checked?.verdict)) {
      return () => tell(checked.verdict === "GENUINE" ? "good" : "bad", ...told(checked));
    }
  } catch ({ retryAfter }) {
    if (retryAfter) return () => tell("bad", words.tooMany(new Date(retryAfter).toLocaleTimeString(words.locale)));
  }
  return () => tell("bad", words.failed);
}

async function check() {
  const turn = ++asked;
  tell("", words.checking);
  const show = await verdict(at("number").value, at("token").value);
  if (turn === asked) show(); // an earlier answer never stands under later numbers
}

function scanned() {
  if (fill(location.hash.slice(1))) check();
}

// The whole code, as it is printed: number, point, check code.
function fill(code) {
  const [number, token] = code.split(".");
  if (!number || !token) return false;
  at("number").value = number;
  at("token").value = token.trim();
  return true;
}

speak(WORDS);
at("form").addEventListener("input", () => {
  fill(at("number").value);
  asked += 1; // what was told is about other numbers
  tell("");
});
at("form").addEventListener("submit", (event) => {
  event.preventDefault();
  check();
});
addEventListener("hashchange", scanned);
scanned();
