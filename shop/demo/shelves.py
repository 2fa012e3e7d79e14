"""What is told about several of the demo's products at once: plain data, by their slugs."""

from decimal import Decimal

# The categories below each category, and what is in them.
TREE: dict[str, dict[tuple[str, str], str]] = {
    "kitchen": {
        ("tableware", "At the table"): "stoneware-teapot enamel-mug pepper-mill",
        ("cooking", "Cooking and cutting"): "beech-chopping-board cast-iron-skillet",
    },
    "desk": {
        ("writing", "Writing and drawing"): "clothbound-notebook fountain-pen drawing-pencils",
        ("desk-tools", "Clocks and scissors"): "oak-desk-clock paper-scissors",
    },
    "lighting": {
        ("lamps", "Lamps"): "jointed-task-lamp pleated-table-lamp enamel-pendant",
        ("candlelight", "Candles and lanterns"): "brass-chamberstick storm-lantern",
    },
    "bags": {
        ("everyday-bags", "For every day"): "canvas-tote willow-basket card-wallet",
        ("travel", "For travel"): "roll-top-backpack weekend-bag",
    },
    "outdoors": {
        ("camp", "In camp"): "vacuum-flask two-person-tent folding-stool",
        ("on-foot", "On foot"): "brass-compass field-umbrella",
    },
    "garden": {
        ("garden-tools", "Tools"): "zinc-watering-can hand-trowel garden-twine",
        ("pots-and-birds", "Pots and birds"): "terracotta-pot cedar-nest-box",
    },
    "textiles": {
        ("linen-and-cotton", "Linen and cotton"): "linen-tea-towel cotton-apron linen-cushion",
        ("wool", "Wool"): "lambswool-blanket wool-walking-socks",
    },
    "care": {
        ("soap-and-balm", "Soap and balm"): "olive-oil-soap rosemary-hand-wash hand-balm",
        ("brushes", "Brushes"): "beech-dish-brush dustpan-and-brush",
    },
}

BRANDS: dict[str, str] = {
    "Kettlewell": "stoneware-teapot enamel-mug cast-iron-skillet enamel-pendant terracotta-pot",
    "Hollin & Ash": "beech-chopping-board pepper-mill oak-desk-clock cedar-nest-box beech-dish-brush dustpan-and-brush",
    "Marrow Press": "clothbound-notebook fountain-pen drawing-pencils paper-scissors",
    "Fennimore": "jointed-task-lamp pleated-table-lamp brass-chamberstick storm-lantern",
    "Bracken": "canvas-tote roll-top-backpack weekend-bag willow-basket card-wallet",
    "Tarn": "vacuum-flask two-person-tent brass-compass folding-stool field-umbrella",
    "Loom Street": "lambswool-blanket linen-tea-towel linen-cushion wool-walking-socks cotton-apron",
    "Saltmarsh": "olive-oil-soap rosemary-hand-wash hand-balm",
    "Garth": "zinc-watering-can hand-trowel garden-twine",
}

FACTS: dict[str, dict[str, str]] = {
    "Material": {
        "Wood": (
            "beech-chopping-board pepper-mill oak-desk-clock cedar-nest-box beech-dish-brush folding-stool "
            "drawing-pencils hand-trowel"
        ),
        "Stoneware and clay": "stoneware-teapot terracotta-pot pleated-table-lamp",
        "Enamel": "enamel-mug enamel-pendant storm-lantern",
        "Iron and steel": (
            "cast-iron-skillet paper-scissors jointed-task-lamp vacuum-flask hand-trowel dustpan-and-brush "
            "zinc-watering-can"
        ),
        "Brass": "brass-chamberstick brass-compass pepper-mill",
        "Leather": "card-wallet weekend-bag roll-top-backpack",
        "Cotton": "canvas-tote roll-top-backpack weekend-bag two-person-tent cotton-apron clothbound-notebook",
        "Linen": "linen-tea-towel linen-cushion",
        "Wool": "lambswool-blanket wool-walking-socks",
        "Willow": "willow-basket",
        "Plant oils": "olive-oil-soap rosemary-hand-wash hand-balm",
    },
    "Colour family": {
        "Red": (
            "clothbound-notebook jointed-task-lamp storm-lantern lambswool-blanket folding-stool dustpan-and-brush "
            "terracotta-pot field-umbrella"
        ),
        "Yellow": "linen-cushion hand-balm brass-chamberstick brass-compass",
        "Green": "enamel-pendant roll-top-backpack lambswool-blanket olive-oil-soap field-umbrella canvas-tote",
        "Teal": "stoneware-teapot fountain-pen linen-cushion folding-stool pleated-table-lamp",
        "Blue": "canvas-tote weekend-bag roll-top-backpack field-umbrella cotton-apron lambswool-blanket",
        "Natural": (
            "beech-chopping-board pepper-mill oak-desk-clock willow-basket card-wallet cedar-nest-box beech-dish-brush "
            "garden-twine linen-tea-towel"
        ),
        "White": "enamel-mug linen-tea-towel stoneware-teapot",
        "Black and grey": "cast-iron-skillet paper-scissors vacuum-flask zinc-watering-can hand-trowel",
    },
    "Made in": {
        "Germany": "fountain-pen drawing-pencils paper-scissors oak-desk-clock vacuum-flask brass-compass",
        "England": "enamel-mug jointed-task-lamp field-umbrella storm-lantern hand-trowel lambswool-blanket",
        "Portugal": "stoneware-teapot terracotta-pot linen-tea-towel linen-cushion olive-oil-soap canvas-tote",
        "Sweden": "beech-chopping-board cast-iron-skillet beech-dish-brush two-person-tent wool-walking-socks",
    },
}

# What each weighs, in grams, packed.
WEIGHTS: dict[int, str] = {
    60: "card-wallet drawing-pencils garden-twine brass-compass",
    150: "fountain-pen linen-tea-towel wool-walking-socks hand-balm beech-dish-brush olive-oil-soap",
    400: "enamel-mug clothbound-notebook paper-scissors hand-trowel cotton-apron canvas-tote pepper-mill",
    900: "brass-chamberstick rosemary-hand-wash vacuum-flask field-umbrella linen-cushion oak-desk-clock",
    1200: "dustpan-and-brush weekend-bag",
    1600: "stoneware-teapot beech-chopping-board roll-top-backpack storm-lantern willow-basket cedar-nest-box",
    2800: "cast-iron-skillet jointed-task-lamp pleated-table-lamp enamel-pendant two-person-tent",
}
USUAL_WEIGHT = 1200

# The sale price, and from which day after the demo is made to which; None: from the start, or for good.
SALES: dict[str, tuple[Decimal, int | None, int | None]] = {
    "KIT-SKI-26": (Decimal("39.00"), None, 30),
    "LGT-STM": (Decimal("34.00"), None, 60),
    "OUT-UMB-INK": (Decimal("46.00"), None, 30),
    "OUT-UMB-MOS": (Decimal("46.00"), None, 30),
    "OUT-UMB-RUS": (Decimal("46.00"), None, 30),
    "TEX-APR": (Decimal("29.00"), None, None),
    "BAG-WKD": (Decimal("139.00"), None, 14),
    "GAR-TRW": (Decimal("14.90"), 7, 21),  # begins by itself
}

# The catalogue came bit by bit: so many days lie between two rows of it, and only the last is new.
DAYS_BETWEEN = 20
DRAFTS = "dustpan-and-brush"
SCHEDULED: dict[str, int] = {"folding-stool": 14}  # in so many days

# What goes with each other.
THEMES = (
    "stoneware-teapot enamel-mug linen-tea-towel olive-oil-soap",
    "cast-iron-skillet beech-chopping-board pepper-mill cotton-apron",
    "clothbound-notebook fountain-pen drawing-pencils oak-desk-clock paper-scissors",
    "jointed-task-lamp pleated-table-lamp enamel-pendant brass-chamberstick",
    "two-person-tent storm-lantern vacuum-flask folding-stool brass-compass",
    "field-umbrella wool-walking-socks roll-top-backpack weekend-bag",
    "canvas-tote willow-basket card-wallet",
    "terracotta-pot hand-trowel zinc-watering-can garden-twine cedar-nest-box",
    "lambswool-blanket linen-cushion wool-walking-socks pleated-table-lamp",
    "rosemary-hand-wash hand-balm beech-dish-brush dustpan-and-brush",
)
