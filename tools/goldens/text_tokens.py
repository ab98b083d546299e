"""Token ids of the original tokenizers for text/testdata: CLIPTokenizer of transformers, CLIP's own tokenizer (its
cleaning by ftfy and html, then the same merges), SentencePiece on T5's model and on a small model of Gemma's kind that
is trained here.

    python tools/goldens/text_tokens.py FOLDER   with bpe_simple_vocab_16e6.txt.gz and t5_spiece.model in FOLDER

Needs ftfy beside what the other scripts need. Gemma's own vocabulary cannot be shipped; the small one has its settings:
merges, byte fallback, split digits, all white space kept, no space in front, its special tokens and runs of white space.
"""
import gzip
import hashlib
import html
import io
import json
import pathlib
import random
import sys
import unicodedata

import ftfy
import sentencepiece
from transformers import CLIPTokenizer

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "text" / "testdata"

# One sentence of many scripts, and what captions and prompts hold besides.
PHRASES = [
    "a photo of a red panda riding a bicycle, watercolour, 4k, highly detailed", "Größe, Straße und Übermut; ÄÖÜ",
    "L'été dernier, nous étions à Besançon où l'œuvre coûtait 12,50 €", "El niño comió piñas ¿verdad? ¡Sí!",
    "São Paulo não é a capital do país", "Zażółć gęślą jaźń", "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "İstanbul'da ığdır ve şişli, ÇĞİÖŞÜ", "Þorvaldur fór út í hús", "Đất nước Việt Nam đẹp quá, ệ ậ ữ ỡ",
    "Съешь ещё этих мягких французских булок", "Їжак і ґава їдять щось", "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία ΟΔΟΣ",
    "שלום עולם, זו תמונה של חתול", "صورة قطة جميلة على سجادة حمراء ٢٠٢٤", "گربه‌ای روی فرش", "ایک بلی کی تصویر",
    "एक लाल बिल्ली की तस्वीर १२३", "একটি বিড়ালের ছবি", "ஒரு பூனையின் படம்", "ఒక పిల్లి చిత్రం", "ಒಂದು ಬೆಕ್ಕಿನ ಚಿತ್ರ",
    "ഒരു പൂച്ചയുടെ ചിത്രം", "ਇੱਕ ਬਿੱਲੀ ਦੀ ਤਸਵੀਰ", "પીળી બિલાડી", "ภาพถ่ายแมวสีแดงบนพรม", "ຮູບພາບແມວ", "រូបថតឆ្មាមួយ",
    "ကြောင်တစ်ကောင်၏ပုံ", "བྱི་ལའི་པར།", "კატის სურათი", "Կատվի լուսանկար", "የድመት ፎቶ", "ᎣᏏᏲ ᏣᎳᎩ", "ᠮᠤᠤᠷ",
    "一只红色的猫坐在地毯上，阳光明媚。", "紅色嘅貓喺地氈度瞓覺", "赤い猫がカーペットの上に座っている。カタカナ", "ﾊﾝｶｸ カナ ｶﾞ",
    "빨간 고양이가 양탄자 위에 앉아 있다", "각 값 힣", "ꦏꦸꦕꦶꦁ", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒮𝒸𝓇𝒾𝓅𝓉 𝟙𝟚𝟛", "𐎠𐎼𐎹 𒀀𒁀 𓀀𓁐",
    "😀😃 🐱‍👤 👩‍👩‍👧‍👦 👍🏽 🇩🇪🇯🇵 ☺️ ❤️‍🔥 1️⃣", "♥ ★ ☂ ♪ → ⇒ ∀x∈ℝ: x²≥0 ∑∫√ ½ ⅔", "€ £ ¥ ₹ ₿ ¢ © ® ™ § ¶ † ‰",
    "don't we'll I'm they've he'd you're it's 'tis rock'n'roll", "price: $12.50 (50% off!) #tag @user a_b-c/d\\e",
    "1920x1080 f/1.8 ISO100 3.14159 1,000,000 0xFF 2024-06-30T12:00:00Z", "ALL CAPS and MiXeD CaSe ÀÉÎÕÜ",
    "<b>bold</b> <html lang=en> [bracket] {brace} |pipe| ~tilde^ `tick`", "(((masterpiece))), best quality:1.3, ((cat))",
    "hello   world\n\n\tnext line\r\nwindows  end ", "e\u0301 a\u0308 e\u0323 e\u0323\u0302 o\u031b\u0301 n\u0303 A\u030a \u1100\u1161\u11a8",
    "s\u0323\u0307 s\u0307\u0323 \u212b \u2126 q\u0307\u0323 \u0344 \u0958", "zero\u200bwidth soft\u00adhyphen no\u00a0break thin\u2009space ideographic\u3000space",
    "nul\x00 bell\x07 esc\x1b[0m del\x7f tab\x0b ff\x0c c1\x85x", "rtl \u202eabc\u202c bom \ufeffx joiner a\u200db variation \ufe0f",
    "\ue000\uf8ff \U000f0000 \ufffd \ufffc", "<|startoftext|>in a prompt<|endoftext|> and <|ENDOFTEXT|> <|endoftext", "…—–‐‑‒―·•‣«»‹›",
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "!!!???...",
    "http://example.com/a?b=c&d=e#f mail@example.org", "a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9",
    "", " ", "\n", "    leading and trailing    ", "a  b   c    d     e", "'", "''s", "!'s", "\u2019s \u201cquoted\u201d \u2018x\u2019",
]


def strings(count=420):
    """The phrases, their single words mixed over scripts, and cuts at any code point; always the same ones."""
    rng = random.Random(5)
    words = [w for p in PHRASES for w in p.split(" ") if w]
    out = list(PHRASES)
    while len(out) < count:
        if len(out) % 3 == 0:
            a, b = rng.choice(PHRASES), rng.choice(PHRASES)
            out.append(a[rng.randrange(len(a) + 1):][:14] + b[: rng.randrange(len(b) + 1)][-14:])
        else:
            out.append("".join(rng.choice(words) + rng.choice([" ", " ", " ", ", ", "", "\n", "  "])
                               for _ in range(rng.randrange(1, 5))))
    return list(dict.fromkeys(out))


def clip_tokenizer(path):
    """CLIP's vocabulary as transformers builds it: bytes, bytes that end a word, merges, two special tokens."""
    lines = gzip.open(path, "rt", encoding="utf-8").read().split("\n")[1:49152 - 256 - 2 + 1]
    merges = [tuple(line.split()) for line in lines]
    printable = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or 174 <= b]
    others = [b for b in range(256) if b not in printable]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]
    names = letters + [x + "</w>" for x in letters] + ["".join(m) for m in merges]
    names += ["<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={n: i for i, n in enumerate(names)}, merges=merges)


def original_clean(text):
    return html.unescape(html.unescape(ftfy.fix_text(text))).strip()


def save(name, rows):
    path = FOLDER / name
    path.write_text("[\n" + ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows) + "\n]\n")
    print(name, len(rows), path.stat().st_size // 1000, "kB")


def train_gemma_like(path):
    runs = ["\n" * n for n in range(1, 5)] + ["▁" * n for n in range(2, 6)] + ["\t", "\t\t"]
    # Every other phrase, so that whole scripts fall back to bytes.
    lines = [w for p in PHRASES[:66:2] for w in (p, p.upper(), p.lower()) if p.strip() and "\x00" not in w] * 4
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type="bpe", vocab_size=1200, byte_fallback=True,
        split_digits=True, normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True, character_coverage=0.99, pad_id=0, eos_id=1, bos_id=2, unk_id=3,
        pad_piece="<pad>", eos_piece="<eos>", bos_piece="<bos>",
        user_defined_symbols=["<mask>", "<start_of_turn>", "<end_of_turn>", *runs, "<b>", "</b>"], minloglevel=2,
        num_threads=1)
    path.write_bytes(model.getvalue())
    print(path.name, path.stat().st_size // 1000, "kB")


def normal_form_digest():
    """Of NFC("a", c, U+0323, U+0301) for every code point c, one after the other."""
    text = "".join(unicodedata.normalize("NFC", "a" + chr(c) + "\u0323\u0301")
                   for c in range(1, 0x110000) if not 0xd800 <= c < 0xe000)
    return hashlib.sha256(text.encode()).hexdigest()


def main(folder):
    texts = strings()
    clip = clip_tokenizer(folder / "bpe_simple_vocab_16e6.txt.gz")
    ids = lambda text: clip(text, add_special_tokens=False)["input_ids"]
    save("clip_transformers_ids.json", [{"text": t, "ids": ids(t)} for t in texts])
    # What ftfy repairs beyond cleaning (mis-decoded text) is left out, and special tokens, which are found elsewhere.
    save("clip_original_ids.json", [{"text": t, "ids": ids(original_clean(t).lower())} for t in texts if "<|" not in t])
    t5 = sentencepiece.SentencePieceProcessor(model_file=str(folder / "t5_spiece.model"))
    save("t5_ids.json", [{"text": t, "ids": t5.encode(t)} for t in texts])
    model = FOLDER / "gemma_style.model"
    train_gemma_like(model)
    gemma = sentencepiece.SentencePieceProcessor(model_file=str(model))
    extra = ["<start_of_turn>user\nhi<end_of_turn>\n", "<bos>x<eos> <pad>", "\t\t\tif x:\n\n\n\n\n    y", "<0x0A>", "▁▁ mark"]
    save("gemma_style_ids.json", [{"text": t, "ids": gemma.encode(t), "decoded": gemma.decode(gemma.encode(t))}
                                  for t in texts + extra])
    print("normal form C", unicodedata.unidata_version, normal_form_digest())


main(pathlib.Path(sys.argv[1]))
