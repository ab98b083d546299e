#include "voice/study/corpus_sources.h"

namespace thimble::voice {
namespace {

constexpr DebianPackage kEnglish = {"asterisk-core-sounds-en-g722", "1.6.1-1",
                                    "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806"};
constexpr DebianPackage kSpanish = {"asterisk-core-sounds-es-g722", "1.6.1-1",
                                    "e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8"};
constexpr DebianPackage kFrench = {"asterisk-core-sounds-fr-g722", "1.6.1-1",
                                   "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0"};
constexpr DebianPackage kItalian = {"asterisk-core-sounds-it-g722", "1.6.1-1",
                                    "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016"};
constexpr DebianPackage kRussian = {"asterisk-core-sounds-ru-g722", "1.6.1-1",
                                    "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b"};
constexpr DebianPackage kFestvox = {"festvox-ru", "0.5+dfsg-6",
                                    "21ef3f0f2978ecf2e2eddb367cb0ff4a72572196d28dc69feb84f4177af5e6c4"};
constexpr DebianPackage kLetters = {"klettres-data", "4:22.12.3-1",
                                    "1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8"};
constexpr DebianPackage kSphinx = {"pocketsphinx-testdata", "0.8+5prealpha+1-15",
                                   "eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0"};
constexpr DebianPackage kAlsa = {"alsa-utils", "1.2.8-1", ""};

constexpr std::string_view kPrompts = "usr/share/asterisk/sounds";

constexpr TalkerSource letters(std::string_view talker, std::string_view language, std::string_view folder,
                               Split split) {
  return {talker, language, "?", "GPL-2+", split, &kLetters, folder, ".ogg"};
}

constexpr TalkerSource kSources[] = {
    {"allison", "en, es", "f", "CC BY-SA 3.0", Split::test, &kEnglish, kPrompts, ".g722"},
    {"allison", "en, es", "f", "CC BY-SA 3.0", Split::test, &kSpanish, kPrompts, ".g722"},
    {"june", "fr", "f", "CC BY-SA 3.0", Split::test, &kFrench, kPrompts, ".g722"},
    {"carlo", "it", "m", "CC BY 3.0", Split::test, &kItalian, kPrompts, ".g722"},
    {"ivrvoice", "ru", "f", "CC BY 3.0", Split::test, &kRussian, kPrompts, ".g722"},
    {"festvox-ru", "ru", "m", "BSD-like", Split::test, &kFestvox, "usr/share/festival/voices", ".wav"},
    {"librivox", "en", "?", "BSD", Split::tune, &kSphinx, "usr/share/pocketsphinx/test/data/librivox", ".wav"},
    {"cards", "en", "?", "BSD", Split::tune, &kSphinx, "usr/share/pocketsphinx/test/data/cards", ".wav"},
    {"alsa", "en", "?", "GPL-2", Split::tune, &kAlsa, "usr/share/sounds/alsa", ".wav"},
    letters("letters-ar", "ar", "usr/share/klettres/ar", Split::tune),
    letters("letters-cs", "cs", "usr/share/klettres/cs", Split::test),
    letters("letters-da", "da", "usr/share/klettres/da", Split::tune),
    letters("letters-de", "de", "usr/share/klettres/de", Split::tune),
    letters("letters-en", "en", "usr/share/klettres/en", Split::tune),
    letters("letters-en-gb", "en", "usr/share/klettres/en_GB", Split::test),
    letters("letters-es", "es", "usr/share/klettres/es", Split::tune),
    letters("letters-fr", "fr", "usr/share/klettres/fr", Split::tune),
    letters("letters-he", "he", "usr/share/klettres/he", Split::tune),
    letters("letters-hu", "hu", "usr/share/klettres/hu", Split::test),
    letters("letters-it", "it", "usr/share/klettres/it", Split::tune),
    letters("letters-lt", "lt", "usr/share/klettres/lt", Split::test),
    letters("letters-ml", "ml", "usr/share/klettres/ml", Split::tune),
    letters("letters-nb", "nb", "usr/share/klettres/nb", Split::tune),
    letters("letters-nds", "nds", "usr/share/klettres/nds", Split::tune),
    letters("letters-nl", "nl", "usr/share/klettres/nl", Split::tune),
    letters("letters-pt", "pt", "usr/share/klettres/pt_BR", Split::tune),
    letters("letters-ru", "ru", "usr/share/klettres/ru", Split::tune),
    letters("letters-tn", "tn", "usr/share/klettres/tn", Split::tune),
    letters("letters-uk", "uk", "usr/share/klettres/uk", Split::tune),
};

}  // namespace

std::span<const TalkerSource> talker_sources() { return kSources; }

}  // namespace thimble::voice
