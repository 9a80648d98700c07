"""
The words that the painter knows, in a handful of languages, and what each asks for.

A line names a thing, then the words for it. A plural in -s or -es need not be listed; words
of scripts without spaces are found inside longer runs of text.
"""

# ruff: noqa: E501  # a line for each thing

import re
from collections.abc import Iterator
from typing import NamedTuple

_HOURS = """
dawn: dawn sunrise daybreak morning morgen morgendämmerung sonnenaufgang morgengrauen aube matin amanecer alba mañana amanhecer рассвет утро 朝 夜明 黎明 早晨 日出 فجر शुभोदय 새벽
noon: noon midday day daytime daylight mittag tag midi jour mediodía día giorno dia день 昼 白天 正午 낮
dusk: dusk sunset evening twilight golden-hour abend abenddämmerung sonnenuntergang dämmerung crépuscule soir atardecer tarde ocaso tramonto sera entardecer закат вечер 夕 黄昏 日落 傍晚 غروب 저녁 노을
night: night midnight nighttime nacht mitternacht nuit minuit noche medianoche notte noite ночь 夜 深夜 ليل रात 밤
"""
_TERRAINS = """
hills: hill hills valley countryside landscape hügel tal landschaft colline vallée paysage colina valle paisaje collina холм пейзаж 丘 谷 风景 風景 언덕
mountains: mountain mountains alps alpine peak summit cliff canyon berg berge gebirge gipfel montagne montagnes sommet montaña montañas montagna montanha гора горы 山 جبل पहाड़ 산
volcano: volcano vulkan volcan volcán vulcano вулкан 火山 화산
sea: sea ocean coast beach shore bay harbor harbour seaside island wave waves meer ozean küste strand insel hafen welle mer océan plage côte île vague mar océano playa costa isla ola mare spiaggia isola praia море океан берег остров 海 島 岛 بحر समुद्र 바다
lake: lake pond lagoon fjord teich lac étang lago laguna озеро 湖 호수
river: river stream creek fluss bach rivière fleuve río fiume rio река 川 河 نهر नदी 강
forest: forest wood woods jungle grove rainforest taiga wald dschungel forêt bois bosque selva foresta bosco floresta лес 森 林 غابة जंगल 숲
desert: desert dune dunes sahara wüste düne désert desierto duna deserto пустыня 砂漠 沙漠 صحراء 사막
city: city skyline skyscraper town downtown urban metropolis street cityscape tokyo manhattan paris london berlin stadt hochhaus straße ville rue gratte-ciel ciudad calle rascacielos città cidade город улица 都市 城市 街 مدينة शहर 도시
meadow: meadow field fields prairie grass garden farm wiese feld garten bauernhof pré champ prairie jardin ferme prado campo jardín granja giardino луг поле сад 野原 草原 庭 花园 정원
space: space galaxy cosmos universe nebula orbit mars weltraum weltall galaxie espace cosmos galaxia espacio universo spazio космос галактика 宇宙 太空 银河 銀河 فضاء 우주
"""
_AIR = """
sun: sun sunny sunshine sunlight sonne soleil sol sole солнце 太陽 太阳 شمس सूरज 해
moon: moon moonlight moonlit mond mondlicht lune luna lua луна 月 قمر चाँद 달
stars: star stars starry stern sterne sternenhimmel étoile étoiles estrella estrellas stella stelle estrela звезда звезды звёзды 星 نجوم तारे 별
clouds: cloud clouds cloudy wolke wolken nuage nuages nube nubes nuvola nuvole nuvem облако облака 雲 云 غيوم बादल 구름
rainbow: rainbow regenbogen arc-en-ciel arcoíris arcobaleno радуга 虹 彩虹 무지개
aurora: aurora borealis polarlicht nordlicht aurore boreal сияние オーロラ 极光 오로라
comet: comet meteor shooting komet sternschnuppe comète cometa комета метеор 彗星 流星 혜성
planet: planet saturn jupiter planète planeta pianeta планета 惑星 行星 행성
fireworks: firework fireworks feuerwerk artifice fuegos fuochi фейерверк салют 花火 烟花 불꽃
rain: rain rainy drizzle downpour regen pluie lluvia pioggia chuva дождь 雨 مطر बारिश 비
snow: snow snowy winter blizzard frost ice icy schnee winter eis neige hiver glace nieve invierno hielo neve inverno снег зима лёд 雪 冬 冰 氷 ثلج बर्फ 눈 겨울
storm: storm stormy thunder lightning thunderstorm tempest sturm gewitter blitz orage tempête éclair tormenta rayo tempesta tempestade буря гроза молния 嵐 雷 暴风 عاصفة 폭풍
mist: mist misty fog foggy haze hazy nebel dunst brume brouillard niebla bruma nebbia neblina туман 霧 雾 ضباب 안개
"""
_MOODS = """
neon: neon cyberpunk synthwave vaporwave retrowave neón неон ネオン 霓虹 네온
pastel: pastel soft gentle dreamy sanft doux tierno pastello пастель パステル 柔和
dark: dark gloomy moody noir gothic scary spooky dunkel düster sombre oscuro scuro темный тёмный 暗 黑暗
bright: bright cheerful happy joyful lively hell fröhlich gai joyeux alegre brillante felice яркий весёлый 明 快乐
warm: warm cozy cosy summer hot sommer chaud été verano cálido caldo estate тепло лето 夏 温暖 여름
cold: cold cool frozen arctic antarctic polar kalt froid frío freddo холод 寒
autumn: autumn fall autumnal october herbst automne otoño autunno outono осень 秋 가을
spring: spring springtime blossom frühling printemps primavera весна 春 봄
vintage: vintage retro old antique nostalgic vieux ancien antiguo antico старый 古
mono: monochrome monochromatic grayscale greyscale black-and-white
"""
_HUES = """
red: red crimson scarlet ruby rot rouge rojo roja rosso красный 赤 红 紅 أحمر लाल 빨간
orange: orange naranja arancione оранжевый 橙
gold: gold golden amber oro or dorado doré золотой 金 ذهب
yellow: yellow gelb jaune amarillo giallo amarelo жёлтый желтый 黄 노란
green: green emerald grün vert verte verde зелёный зеленый 緑 绿 أخضر हरा 초록
teal: teal turquoise cyan türkis turquesa бирюзовый
blue: blue azure indigo cobalt blau bleu bleue azul blu синий голубой 青 蓝 藍 أزرق नीला 파란
purple: purple violet lilac lavender lila violett pourpre morado púrpura viola roxo фиолетовый 紫 보라
pink: pink magenta rosa розовый ピンク 粉 분홍
brown: brown braun marron marrón marrone коричневый 茶色
grey: grey gray silver grau gris grigio cinza серый 灰
black: black schwarz noir noire negro negra nero preto чёрный черный 黒 黑
white: white weiß weiss blanc blanche blanco blanca bianco branco белый 白 أبيض 하얀
sepia: sepia
"""
_SUBJECTS = """
lighthouse: lighthouse leuchtturm phare faro farol маяк 灯台 灯塔 منارة 등대
boat: boat sailboat sailing yacht dinghy sail boot segelboot bateau voilier bote barco velero barca vela лодка парус парусник 船 帆 舟 قارب नाव 배
ship: ship vessel steamer ferry pirate schiff dampfer navire paquebot buque navío nave navio корабль 汽船 轮船
house: house home cottage cabin hut barn haus hütte häuschen maison cabane chaumière casa cabaña capanna дом домик изба 家 房子 بيت घर 집
castle: castle fortress palace citadel schloss burg château castillo castello castelo замок крепость 城堡 お城 قلعة किला 성
tower: tower clocktower steeple church cathedral turm kirche tour église clocher torre iglesia chiesa igreja башня церковь 塔 教会 교회
windmill: windmill windmühle mühle moulin molino mulino moinho мельница 風車 风车
bridge: bridge brücke pont puente ponte мост 橋 桥 جسر पुल 다리
tree: tree oak maple willow baum eiche arbre chêne árbol roble albero árvore дерево 木 树 樹 شجرة पेड़ 나무
pine: pine fir spruce conifer christmas tanne kiefer fichte sapin pin pino abete ель сосна ёлка 松
palm: palm palms coconut tropical palme palmier palmera palma palmeira пальма ヤシ 棕榈
cactus: cactus cacti saguaro kaktus кактус サボテン 仙人掌 선인장
flower: flower flowers tulip rose daisy poppy sunflower lotus blume blumen tulpe mohn fleur fleurs coquelicot flor flores amapola fiore fiori цветок цветы 花 زهرة फूल 꽃
mushroom: mushroom toadstool pilz champignon seta hongo fungo cogumelo гриб キノコ 蘑菇 버섯
cat: cat kitten kitty katze kater kätzchen chat chaton gato gata gatito gatto кот кошка котёнок 猫 ネコ قطة बिल्ली 고양이
dog: dog puppy hound hund welpe chien chiot perro perra cachorro cane cão собака пёс щенок 犬 狗 كلب कुत्ता 강아지
fox: fox foxes wolf fuchs füchse renard loup zorro lobo volpe lupo raposa лиса волк 狐 狼 여우
rabbit: rabbit bunny hare hase kaninchen lapin lièvre conejo coniglio coelho заяц кролик 兎 うさぎ 兔 토끼
deer: deer stag elk moose reindeer hirsch reh cerf biche ciervo cervo олень лось 鹿 사슴
horse: horse horses pony unicorn pferd einhorn cheval chevaux caballo cavallo cavalo лошадь конь 馬 马 حصان घोड़ा 말
elephant: elephant mammoth elefant éléphant elefante слон 象 फ़ील فيل हाथी 코끼리
bird: bird gull seagull crow raven eagle swallow vogel vögel möwe oiseau mouette pájaro ave gaviota uccello gabbiano pássaro птица птицы чайка 鳥 鸟 طائر पक्षी 새
owl: owl eule hibou búho gufo coruja сова 梟 フクロウ 猫头鹰 부엉이
whale: whale dolphin orca wal delfin baleine dauphin ballena delfín balena delfino baleia кит дельфин 鯨 クジラ 鲸 고래
fish: fish goldfish koi shark fisch poisson requin pez pescado pesce peixe рыба 魚 鱼 سمكة मछली 물고기
butterfly: butterfly butterflies moth schmetterling papillon mariposa farfalla borboleta бабочка 蝶 나비
robot: robot android cyborg mech roboter robô робот ロボット 机器人 로봇
person: person man woman girl boy child people traveler traveller wanderer knight astronaut samurai monk mann frau kind mädchen junge homme femme enfant fille hombre mujer niño niña uomo donna bambino человек девушка мальчик 人 女 男 少女 子供 사람 소녀
rocket: rocket spaceship spacecraft spaceshuttle rakete raumschiff fusée cohete razzo foguete ракета ロケット 火箭 로켓
balloon: balloon balloons airship zeppelin ballon heißluftballon montgolfière globo mongolfiera balão шар воздушный 気球 气球 बैलून 열기구
tent: tent camp camping campfire zelt tente tienda tenda палатка костёр テント 帐篷 텐트
pyramid: pyramid egypt pyramide ägypten pirámide egipto piramide пирамида ピラミッド 金字塔 هرم
train: train locomotive railway zug eisenbahn locomotive tren treno trem поезд паровоз 列車 電車 火车 기차
car: car truck van auto wagen voiture coche carro macchina машина автомобиль 車 汽车 سيارة 자동차
bicycle: bicycle bike cycling fahrrad vélo bicyclette bicicleta велосипед 自転車 自行车 자전거
lantern: lantern lamp lanterns streetlamp laterne lampe lanterne réverbère farolillo linterna lanterna lâmpada фонарь 灯籠 灯笼 등불
umbrella: umbrella parasol regenschirm schirm parapluie paraguas sombrilla ombrello зонт 傘 雨伞 우산
kite: kite drachen cerf-volant cometa aquilone воздушный-змей 凧 风筝
dragon: dragon wyvern drache dragón drago dragão дракон 竜 龍 龙 تنين 용
heart: heart love herz liebe cœur amour corazón amor cuore сердце любовь 心 愛 爱 قلب दिल 사랑
book: book library reading buch bibliothek livre bibliothèque libro biblioteca книга 本 书 كتاب 책
cup: cup coffee tea mug teapot tasse kaffee tee café thé taza té tazza caffè чашка кофе чай コーヒー 茶 咖啡 커피
guitar: guitar music song violin gitarre musik guitare musique guitarra música chitarra musica гитара музыка 音楽 吉他 음악
"""
_COUNTS = {
    "two": 2, "pair": 2, "couple": 2, "zwei": 2, "deux": 2, "dos": 2, "due": 2, "два": 2, "две": 2,
    "three": 3, "drei": 3, "trois": 3, "tres": 3, "tre": 3, "три": 3,
    "four": 4, "vier": 4, "quatre": 4, "cuatro": 4, "five": 5, "fünf": 5, "cinq": 5, "cinco": 5,
    "six": 6, "seven": 7, "several": 4, "many": 6, "flock": 7, "herd": 5, "fleet": 5,
}  # fmt: skip
_NOT = frozenset(
    [
        "no",
        "without",
        "not",
        "ohne",
        "kein",
        "keine",
        "sans",
        "pas",
        "sin",
        "senza",
        "sem",
        "без",
        "нет",
    ]
)
_SMALL = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "at",
        "in",
        "on",
        "by",
        "to",
        "and",
        "or",
        "with",
        "over",
        "under",
        "near",
        "from",
        "is",
        "are",
        "its",
        "it",
        "very",
        "as",
        "for",
        "into",
        "ein",
        "eine",
        "der",
        "die",
        "das",
        "im",
        "am",
        "mit",
        "und",
        "le",
        "la",
        "les",
        "un",
        "une",
        "des",
        "du",
        "de",
        "au",
        "et",
        "el",
        "los",
        "las",
        "una",
        "con",
        "y",
        "il",
        "lo",
        "di",
        "del",
        "da",
        "em",
        "и",
        "в",
        "на",
        "с",
    ]
)


class Meaning(NamedTuple):
    """What a word asks for: its kind (hour, terrain, air, mood, hue, subject) and name."""

    kind: str
    name: str


class Heard(NamedTuple):
    """One word of a prompt: what it means, how many, and whether it was said to be absent."""

    word: str
    meanings: tuple[Meaning, ...]
    many: int
    absent: bool


def _read() -> dict[str, tuple[Meaning, ...]]:
    known: dict[str, tuple[Meaning, ...]] = {}
    tables = {
        "hour": _HOURS, "terrain": _TERRAINS, "air": _AIR, "mood": _MOODS, "hue": _HUES, "subject": _SUBJECTS,
    }  # fmt: skip
    for kind, table in tables.items():
        for line in table.strip().splitlines():
            name, words = line.split(": ")
            for word in words.split():
                before = known.get(word, ())
                if Meaning(kind, name) not in before:
                    known[word] = (*before, Meaning(kind, name))
    return known


_KNOWN = _read()
_CYRILLIC_ENDINGS = "аеёиойуыьэюя"
_ROOTS = {
    word.rstrip(_CYRILLIC_ENDINGS): word
    for word in _KNOWN
    if "а" <= word[0] <= "я" and len(word) > 3
}
_UNSPACED = {word for word in _KNOWN if ord(word[0]) >= 0x3040}
_LONGEST = max(len(word) for word in _UNSPACED)
_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*")


def listen(text: str) -> Iterator[Heard]:
    """The words of *text* that matter, in order; small words are passed over."""
    count, absent = 1, False
    for match in _WORD.finditer(text.lower()):
        word = match[0]
        if word in _NOT:
            absent = True
        elif word in _COUNTS:
            count = _COUNTS[word]
        elif word.isdecimal():
            count = min(9, max(1, int(word[:4])))
        elif word not in _SMALL:
            for heard in _understand(word, count, absent=absent):
                yield heard
                if not any(meaning.kind == "hue" for meaning in heard.meanings):
                    count, absent = 1, False


def _understand(word: str, count: int, *, absent: bool) -> Iterator[Heard]:
    if ord(word[0]) >= 0x3040:
        yield from _inside(word, count, absent=absent)
    elif word in _KNOWN:
        plural = word.endswith("s") and word[:-1] in _KNOWN
        yield Heard(word, _KNOWN[word], 3 if plural and count == 1 else count, absent)
    elif (stem := _stem(word)) is not None:
        yield Heard(word, _KNOWN[stem], 3 if count == 1 else count, absent)
    elif "-" in word:
        for part in word.split("-"):
            yield from _understand(part, count, absent=absent)
    else:
        yield Heard(word, (), 1, absent)


def _stem(word: str) -> str | None:
    if "а" <= word[0] <= "я":
        return _ROOTS.get(word.rstrip(_CYRILLIC_ENDINGS))
    for ending, instead in (("s", ""), ("es", ""), ("ies", "y"), ("n", ""), ("e", "")):
        stem = word.removesuffix(ending) + instead
        if stem != word and word.endswith(ending) and len(stem) > 2 and stem in _KNOWN:
            return stem
    return None


def _inside(run: str, count: int, *, absent: bool) -> Iterator[Heard]:
    """Known words in a run of text without spaces, the longest first at each place."""
    at, found = 0, False
    while at < len(run):
        for long in range(min(_LONGEST, len(run) - at), 0, -1):
            if (word := run[at : at + long]) in _UNSPACED:
                yield Heard(word, _KNOWN[word], count, absent)
                found = True
                break
        else:
            long = 1
        at += long
    if not found:
        yield Heard(run, (), 1, absent)
