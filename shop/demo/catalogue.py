"""What the demo shop sells: plain data.

Each product's picture is ``static/img/demo/<slug>.svg``. Where there is ``<slug>-<value>.svg`` too, it shows the
variants with that value. Several options, and a variant's values of them, are parted by ", ". What is told about
several products at once (tree, brands, facts, sales) is in `shelves`.
"""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class DemoVariant:
    sku: str
    name: str
    price: Decimal
    on_hand: int


@dataclass(frozen=True, slots=True)
class DemoProduct:
    slug: str
    name: str
    summary: str
    description: str
    variants: tuple[DemoVariant, ...]
    option: str
    picture_alt: str


@dataclass(frozen=True, slots=True)
class DemoCategory:
    slug: str
    name: str
    description: str
    products: tuple[DemoProduct, ...]


def _variant(sku: str, name: str, price: str, on_hand: int) -> DemoVariant:
    return DemoVariant(sku=sku, name=name, price=Decimal(price), on_hand=on_hand)


KITCHEN = DemoCategory(
    slug="kitchen",
    name="Kitchen",
    description="Pots, boards and mugs that are used every day and look better for it.",
    products=(
        DemoProduct(
            slug="stoneware-teapot",
            name="Stoneware teapot",
            summary="A round-bellied pot for four cups, with a cane handle that stays cool.",
            description=(
                "Thrown in speckled stoneware and dipped in glaze, so the foot stays bare and no two lines are alike. "
                "Holds 1.1 litres; a strainer is built in behind the spout. Wash by hand, and keep the cane handle dry."
            ),
            option="Glaze",
            variants=(
                _variant("KIT-TEA-SEA", "Sea green", "48.00", 18),
                _variant("KIT-TEA-OAT", "Oat", "48.00", 14),
            ),
            picture_alt="A sea green stoneware teapot with a cane handle, and a small cup beside it",
        ),
        DemoProduct(
            slug="enamel-mug",
            name="Speckled enamel mug",
            summary="A light, tough mug for the kitchen table or the camp fire.",
            description=(
                "Two coats of enamel on steel, with a dark rolled rim. Holds 350 ml. Dishwasher safe, but not for the "
                "microwave; a chip on the rim is harmless."
            ),
            option="",
            variants=(_variant("KIT-MUG", "", "12.50", 56),),
            picture_alt="A cream enamel mug with dark speckles and a dark rim, full of hot coffee",
        ),
        DemoProduct(
            slug="beech-chopping-board",
            name="Beech chopping board",
            summary="One solid piece of beech, with a handle to carry and hang it by.",
            description=(
                "Cut from a single plank of European beech, 2 cm thick, and finished with linseed oil. Small is 32 × "
                "18 cm, medium 40 × 23 cm, large 48 × 28 cm. Wipe clean, dry standing up, and oil it twice a year."
            ),
            option="Size",
            variants=(
                _variant("KIT-BRD-S", "Small", "24.00", 32),
                _variant("KIT-BRD-M", "Medium", "32.00", 26),
                _variant("KIT-BRD-L", "Large", "42.00", 11),
            ),
            picture_alt="A beech chopping board leaning against the wall, with a lemon cut in half in front",
        ),
        DemoProduct(
            slug="cast-iron-skillet",
            name="Cast-iron skillet",
            summary="Heavy, even heat on any hob, with a lip to pour from on either side.",
            description=(
                "Cast in one piece and seasoned with rapeseed oil, so it is ready to use. Works on gas, electric, "
                "induction and in the oven. Rinse hot without soap, dry at once, and rub with a little oil."
            ),
            option="Diameter",
            variants=(
                _variant("KIT-SKI-20", "20 cm", "36.00", 21),
                _variant("KIT-SKI-26", "26 cm", "49.00", 17),
                _variant("KIT-SKI-30", "30 cm", "62.00", 9),
            ),
            picture_alt="A black cast-iron skillet seen from above, with a fried egg in it",
        ),
        DemoProduct(
            slug="pepper-mill",
            name="Turned pepper mill",
            summary="A table mill with a steel grinder and a brass knob to set it fine or coarse.",
            description=(
                "Turned from oiled cherry wood, 24 cm tall, with a hardened steel grinder. Turn the knob tighter for a "
                "finer grind. Wipe with a dry cloth; do not wash."
            ),
            option="",
            variants=(_variant("KIT-MIL", "", "38.50", 23),),
            picture_alt="A turned wooden pepper mill with a brass knob and a few peppercorns around it",
        ),
    ),
)

DESK = DemoCategory(
    slug="desk",
    name="Desk",
    description="Paper, pens and good company for the place where you think.",
    products=(
        DemoProduct(
            slug="clothbound-notebook",
            name="Clothbound notebook",
            summary="Lies flat at every page, and takes ink without letting it through.",
            description=(
                "192 pages of 100 g cream paper, thread-sewn and bound in rust cotton cloth. A5, 148 × 210 mm, with a "
                "ribbon and an elastic band. Each notebook has a label on the front for a name or a year."
            ),
            option="Pages",
            variants=(
                _variant("DSK-NOT-PLN", "Plain", "16.50", 44),
                _variant("DSK-NOT-LIN", "Lined", "16.50", 58),
                _variant("DSK-NOT-DOT", "Dotted", "16.50", 37),
            ),
            picture_alt="A rust-coloured clothbound notebook with a blank label, elastic band and ribbon",
        ),
        DemoProduct(
            slug="fountain-pen",
            name="Fountain pen",
            summary="A well-balanced pen with a steel nib that starts at the first touch.",
            description=(
                "Teal resin with brass fittings, 138 mm closed and 21 g. Takes standard short cartridges or the "
                "converter in the box. Rinse the nib with cool water once a month."
            ),
            option="Nib",
            variants=(
                _variant("DSK-PEN-F", "Fine", "54.00", 19),
                _variant("DSK-PEN-M", "Medium", "54.00", 24),
                _variant("DSK-PEN-B", "Broad", "54.00", 1),
            ),
            picture_alt="A teal fountain pen with a gold-coloured nib, its cap beside it, and a line of ink",
        ),
        DemoProduct(
            slug="drawing-pencils",
            name="Six drawing pencils",
            summary="Soft, strong colours in cedar, in a sleeve that fits a coat pocket.",
            description=(
                "Six wax-based coloured pencils in incense cedar: rust, honey, teal, ink, leaf and rose. 17.5 cm long, "
                "with a 3.8 mm lead. They sharpen cleanly with a knife or an ordinary sharpener."
            ),
            option="",
            variants=(_variant("DSK-PCL", "", "11.90", 60),),
            picture_alt="Six coloured pencils with sharp points, standing out of a white card sleeve",
        ),
        DemoProduct(
            slug="oak-desk-clock",
            name="Oak desk clock",
            summary="A small arched clock that keeps time quietly and never lights up.",
            description=(
                "Solid oak with a brass ring and a glass front, 19 cm tall. The movement sweeps, so there is no tick. "
                "Runs about a year on one AA battery, which is included."
            ),
            option="",
            variants=(_variant("DSK-CLK", "", "79.00", 12),),
            picture_alt="An arched oak clock with a cream face and a brass ring, showing eight past ten",
        ),
        DemoProduct(
            slug="paper-scissors",
            name="Paper scissors",
            summary="Long blades and brass bows, for a straight cut through a whole sheet.",
            description=(
                "Carbon steel blades with brass handles, 22 cm long, held by a screw you can tighten. The left-handed "
                "pair has its blades the other way round, so the line stays in sight. Keep dry; a drop of oil in "
                "autumn."
            ),
            option="Hand",
            variants=(
                _variant("DSK-SCI-R", "Right-handed", "28.00", 33),
                _variant("DSK-SCI-L", "Left-handed", "28.00", 10),
            ),
            picture_alt="A pair of open paper scissors with steel blades and brass handles",
        ),
    ),
)

LIGHTING = DemoCategory(
    slug="lighting",
    name="Lighting",
    description="Lamps, lanterns and candlelight for the hours after supper.",
    products=(
        DemoProduct(
            slug="jointed-task-lamp",
            name="Jointed task lamp",
            summary="Stays exactly where you put it, and lights the page and not your eyes.",
            description=(
                "Powder-coated steel on a weighted base, with a reach of 70 cm. Takes one E27 bulb of up to 9 W, not "
                "included; the cloth-covered cable is 1.8 m long. Dust with a soft cloth."
            ),
            option="Colour",
            variants=(
                _variant("LGT-TSK-RUS", "Rust", "119.00", 15),
                _variant("LGT-TSK-INK", "Ink blue", "119.00", 8),
                _variant("LGT-TSK-CRM", "Cream", "119.00", 0),
            ),
            picture_alt="A rust-coloured jointed lamp casting a cone of light on the table",
        ),
        DemoProduct(
            slug="pleated-table-lamp",
            name="Pleated table lamp",
            summary="A dipped ceramic foot under a hand-pleated cotton shade.",
            description=(
                "Glazed ceramic and cream cotton with a rust trim, 46 cm tall and 31 cm wide. Takes one E14 bulb of up "
                "to 7 W, not included. Brush the pleats with a dry, soft brush."
            ),
            option="",
            variants=(_variant("LGT-PLT", "", "96.00", 11),),
            picture_alt="A table lamp with a glowing pleated shade on a teal and white ceramic foot",
        ),
        DemoProduct(
            slug="enamel-pendant",
            name="Enamel pendant lamp",
            summary="A generous green dome to hang low over a table.",
            description=(
                "Enamelled steel, green outside and white inside, with a brass cap and 2 m of cloth-covered cable. "
                "Takes one E27 bulb of up to 15 W, not included. It is wired to the ceiling, so ask an electrician."
            ),
            option="Diameter",
            variants=(
                _variant("LGT-PEN-28", "28 cm", "89.00", 16),
                _variant("LGT-PEN-40", "40 cm", "129.00", 9),
            ),
            picture_alt="A green enamel pendant lamp hanging from its cable and shining downwards",
        ),
        DemoProduct(
            slug="brass-chamberstick",
            name="Brass chamberstick",
            summary="The candlestick with a handle, for carrying a light up the stairs.",
            description=(
                "Spun from solid brass with a wide dish to catch the wax, 16 cm across. Comes with one plain candle, "
                "22 mm thick. The brass darkens with time; polish it, or let it."
            ),
            option="",
            variants=(_variant("LGT-CHB", "", "34.00", 20),),
            picture_alt="A lit white candle in a brass chamberstick with a ring handle",
        ),
        DemoProduct(
            slug="storm-lantern",
            name="Storm lantern",
            summary="A paraffin lantern that burns through wind, rain and long conversations.",
            description=(
                "Enamelled steel with a heat-proof glass globe, 28 cm tall. A full tank of 0.3 litres burns for about "
                "18 hours. For use outdoors; comes with a spare wick."
            ),
            option="",
            variants=(_variant("LGT-STM", "", "42.50", 28),),
            picture_alt="A lit rust-red storm lantern with a glass globe and a wire handle",
        ),
    ),
)

BAGS = DemoCategory(
    slug="bags",
    name="Bags",
    description="Things to put things in, from two cards to a long weekend.",
    products=(
        DemoProduct(
            slug="canvas-tote",
            name="Canvas market tote",
            summary="Stands up by itself, and carries a week's bread and leeks.",
            description=(
                "Heavy 500 g cotton canvas with a dyed base, webbing handles and a pocket for keys. 38 × 40 × 16 cm. "
                "Wash at 30 degrees and dry flat; it softens and shrinks by about two per cent."
            ),
            option="Base",
            variants=(
                _variant("BAG-TOT-INK", "Ink blue", "29.00", 41),
                _variant("BAG-TOT-MOS", "Moss", "29.00", 35),
            ),
            picture_alt="A cream canvas tote with an ink blue base, holding a loaf and green leaves",
        ),
        DemoProduct(
            slug="roll-top-backpack",
            name="Roll-top backpack",
            summary="Waxed canvas that keeps the rain out and grows with what you carry.",
            description=(
                "Waxed cotton with leather straps and a brass buckle; 18 litres rolled down, 26 litres open. A padded "
                "sleeve inside takes a 14-inch laptop. Sponge clean with cold water and wax again once a year."
            ),
            option="Colour",
            variants=(
                _variant("BAG-ROL-MOS", "Moss", "139.00", 13),
                _variant("BAG-ROL-INK", "Ink blue", "139.00", 10),
                _variant("BAG-ROL-SND", "Sand", "139.00", 8),
            ),
            picture_alt="A moss green roll-top backpack with brown leather straps and a brass buckle",
        ),
        DemoProduct(
            slug="weekend-bag",
            name="Weekend bag",
            summary="Room for three days, and small enough to go in the hand luggage.",
            description=(
                "Cotton canvas with a leather base and handles, and a brass zip. 52 × 30 × 24 cm, 36 litres, with a "
                "shoulder strap inside. Feed the leather with a colourless balm now and then."
            ),
            option="",
            variants=(_variant("BAG-WKD", "", "168.00", 9),),
            picture_alt="An ink blue weekend bag with tan leather handles and base and a luggage tag",
        ),
        DemoProduct(
            slug="willow-basket",
            name="Willow basket",
            summary="Woven from whole rods, for apples, picnics or kindling.",
            description=(
                "Buff willow around a bent ash handle, 40 × 30 cm and 38 cm tall to the top. It holds about 6 kg of "
                "apples. Brush clean, and leave it out in a summer shower once a year to keep it supple."
            ),
            option="",
            variants=(_variant("BAG-WIL", "", "46.00", 1),),
            picture_alt="A willow basket with a tall handle, filled with apples and a checked cloth",
        ),
        DemoProduct(
            slug="card-wallet",
            name="Leather card wallet",
            summary="Six cards and a folded note, and hardly a bulge in the pocket.",
            description=(
                "Vegetable-tanned leather, stitched with waxed linen thread. 10.2 × 7.4 cm, with two pockets and a "
                "slot between. It darkens with handling; that is the idea."
            ),
            option="Colour",
            variants=(
                _variant("BAG-CRD-TAN", "Tan", "32.00", 38),
                _variant("BAG-CRD-CHE", "Chestnut", "32.00", 25),
            ),
            picture_alt="A tan leather card wallet with white stitching and two cards showing",
        ),
    ),
)

OUTDOORS = DemoCategory(
    slug="outdoors",
    name="Outdoors",
    description="For a day on the hill, a night under canvas, or a wet walk home.",
    products=(
        DemoProduct(
            slug="vacuum-flask",
            name="Vacuum flask",
            summary="Tea at eight in the morning, and still too hot to gulp at four.",
            description=(
                "Double-walled stainless steel with a cup for a lid and a fold-out handle. Keeps drinks hot for 12 "
                "hours or cold for 24. Rinse by hand and store with the stopper off."
            ),
            option="Size",
            variants=(
                _variant("OUT-FLK-05", "0.5 litre", "34.00", 36),
                _variant("OUT-FLK-10", "1 litre", "44.00", 22),
            ),
            picture_alt="A teal and steel vacuum flask with a handle, and its cup of steaming coffee",
        ),
        DemoProduct(
            slug="two-person-tent",
            name="Ridge tent for two",
            summary="A classic ridge tent in honey-coloured canvas, up in ten minutes.",
            description=(
                "Breathable cotton canvas with a sewn-in groundsheet, two wooden uprights and sixteen pegs. 210 × 140 "
                "cm, 120 cm high, 6.8 kg. Dry it fully before you pack it away."
            ),
            option="",
            variants=(_variant("OUT-TNT", "", "189.00", 8),),
            picture_alt="A honey-coloured ridge tent with its flaps tied open, in front of low hills",
        ),
        DemoProduct(
            slug="brass-compass",
            name="Pocket compass",
            summary="A steady needle under a brass lid, for when the telephone gives up.",
            description=(
                "Solid brass, liquid-filled, with a jewelled bearing and a lid that snaps shut. 55 mm across and 96 g. "
                "Keep it away from magnets and loudspeakers."
            ),
            option="",
            variants=(_variant("OUT-CMP", "", "39.50", 27),),
            picture_alt="An open brass pocket compass with a rust and blue needle",
        ),
        DemoProduct(
            slug="folding-stool",
            name="Folding stool",
            summary="A seat for the river bank, the queue or the back of the workshop.",
            description=(
                "Oiled ash legs and a striped cotton sling, 42 cm high; it carries 110 kg and weighs 1.4 kg. It folds "
                "flat to 5 cm. The sling comes off and washes at 40 degrees."
            ),
            option="Stripe",
            variants=(
                _variant("OUT-STL-RUS", "Rust", "45.00", 19),
                _variant("OUT-STL-TEA", "Teal", "45.00", 16),
            ),
            picture_alt="A folding stool with crossed wooden legs and a rust and cream striped seat",
        ),
        DemoProduct(
            slug="field-umbrella",
            name="Field umbrella",
            summary="A broad walking umbrella with a steamed handle and a brass collar.",
            description=(
                "Tightly woven polyester on eight steel ribs, 104 cm across when open and 88 cm long. The handle is "
                "one piece of bent chestnut. Let it dry half open."
            ),
            option="Colour",
            variants=(
                _variant("OUT-UMB-INK", "Ink blue", "58.00", 24),
                _variant("OUT-UMB-MOS", "Moss", "58.00", 18),
                _variant("OUT-UMB-RUS", "Rust", "58.00", 12),
            ),
            picture_alt="An open ink blue umbrella with a honey-coloured edge and a curved wooden handle",
        ),
    ),
)

GARDEN = DemoCategory(
    slug="garden",
    name="Garden",
    description="Honest tools and small kindnesses for a plot, a yard or a window sill.",
    products=(
        DemoProduct(
            slug="zinc-watering-can",
            name="Zinc watering can",
            summary="A long reach and a fine brass rose that does not flatten seedlings.",
            description=(
                "Hot-dipped galvanised steel with two handles, so it pours without strain. The brass rose unscrews for "
                "cleaning. Empty it before frost and it will outlast the shed."
            ),
            option="Size",
            variants=(
                _variant("GAR-CAN-05", "5 litres", "39.00", 20),
                _variant("GAR-CAN-09", "9 litres", "52.00", 14),
            ),
            picture_alt="A zinc watering can with a long spout and a brass rose",
        ),
        DemoProduct(
            slug="hand-trowel",
            name="Hand trowel",
            summary="A deep, sharp blade and an ash handle that fits a gloved hand.",
            description=(
                "Stainless steel blade with a brass collar and an oiled ash handle, 31 cm long. Wipe off the soil "
                "after use and rub the handle with linseed oil in winter."
            ),
            option="",
            variants=(_variant("GAR-TRW", "", "18.90", 45),),
            picture_alt="A steel hand trowel with an ash handle, some soil on its tip and a green sprig",
        ),
        DemoProduct(
            slug="terracotta-pot",
            name="Terracotta pot and saucer",
            summary="A thick-walled clay pot that lets roots breathe, with its own saucer.",
            description=(
                "Fired at 1,050 degrees to stand light frost, with a hole in the base. The size is the width across "
                "the rim; the plant is not included. A white bloom on the clay is lime, and brushes off."
            ),
            option="Size",
            variants=(
                _variant("GAR-POT-12", "12 cm", "7.50", 60),
                _variant("GAR-POT-18", "18 cm", "12.50", 48),
                _variant("GAR-POT-24", "24 cm", "19.50", 30),
                _variant("GAR-POT-32", "32 cm", "34.00", 12),
            ),
            picture_alt="A terracotta pot on a saucer, with a leafy green plant growing in it",
        ),
        DemoProduct(
            slug="cedar-nest-box",
            name="Cedar nest box",
            summary="A dry, draught-free home for small birds; the roof opens for cleaning.",
            description=(
                "Untreated cedar, 2 cm thick, 17 × 15 × 28 cm, with a painted roof and a steel ring against "
                "woodpeckers. The small hole suits blue tits, the larger one great tits and sparrows. Clean it out "
                "each October."
            ),
            option="Entrance",
            variants=(
                _variant("GAR-NST-28", "28 mm", "27.50", 22),
                _variant("GAR-NST-32", "32 mm", "27.50", 26),
            ),
            picture_alt="A cedar nest box with a teal roof, and a small bird looking out of the hole",
        ),
        DemoProduct(
            slug="garden-twine",
            name="Garden twine",
            summary="Soft jute twine on a wooden spool, for beans, tomatoes and parcels.",
            description=(
                "Three-ply jute, dyed leaf green, 100 metres on a beech spool. Strong enough for a heavy truss, gentle "
                "on stems. It rots down on the compost heap."
            ),
            option="",
            variants=(_variant("GAR-TWN", "", "4.50", 57),),
            picture_alt="A wooden spool of green garden twine with one end lying loose",
        ),
    ),
)

TEXTILES = DemoCategory(
    slug="textiles",
    name="Textiles",
    description="Wool, linen and cotton to wrap up in, dry off with and lean on.",
    products=(
        DemoProduct(
            slug="lambswool-blanket",
            name="Lambswool blanket",
            summary="A soft, warm check for the sofa, with a short fringe at both ends.",
            description=(
                "Woven from pure new lambswool, 500 g a square metre. It airs well and seldom needs washing. When it "
                "does, wash by hand in cool water and dry flat."
            ),
            option="Colour, Size",
            variants=(
                _variant("TEX-BLK-RUS", "Rust, 130 × 190 cm", "98.00", 15),
                _variant("TEX-BLK-RUS-L", "Rust, 190 × 220 cm", "156.00", 6),
                _variant("TEX-BLK-MOS", "Moss, 130 × 190 cm", "98.00", 12),
                _variant("TEX-BLK-MOS-L", "Moss, 190 × 220 cm", "156.00", 3),
                _variant("TEX-BLK-INK", "Ink blue, 130 × 190 cm", "98.00", 0),
            ),
            picture_alt="A folded rust and cream checked wool blanket with a fringe",
        ),
        DemoProduct(
            slug="linen-tea-towel",
            name="Linen tea towel",
            summary="Dries glasses without a trace of fluff, and gets better with every wash.",
            description=(
                "Pure linen, 50 × 70 cm, hemmed, with a loop to hang it by. Wash at up to 60 degrees and leave out the "
                "softener, which stops linen from drinking."
            ),
            option="",
            variants=(_variant("TEX-TWL", "", "14.00", 52),),
            picture_alt="A white linen tea towel with teal stripes, hanging from a wooden rail",
        ),
        DemoProduct(
            slug="linen-cushion",
            name="Striped linen cushion",
            summary="Washed linen with cream stripes, and a tassel at each corner.",
            description=(
                "The cover is heavy washed linen with a hidden zip; the pad inside is filled with feathers. Wash the "
                "cover at 30 degrees, inside out."
            ),
            option="Colour, Size",
            variants=(
                _variant("TEX-CSH-40", "Honey, 40 × 40 cm", "36.00", 29),
                _variant("TEX-CSH-50", "Honey, 50 × 50 cm", "44.00", 21),
                _variant("TEX-CSH-40-TEA", "Teal, 40 × 40 cm", "36.00", 17),
                _variant("TEX-CSH-50-TEA", "Teal, 50 × 50 cm", "44.00", 2),
            ),
            picture_alt="A honey-coloured cushion with cream stripes and rust tassels at the corners",
        ),
        DemoProduct(
            slug="wool-walking-socks",
            name="Wool walking socks",
            summary="Cushioned underfoot, ribbed at the top, and dry by the next morning.",
            description=(
                "70% wool, 28% polyamide and 2% elastane, with a stronger heel and toe. Sold as one pair. Wash at 30 "
                "degrees on the wool cycle and keep them out of the dryer."
            ),
            option="Size",
            variants=(
                _variant("TEX-SOX-36", "36–38", "17.50", 34),
                _variant("TEX-SOX-39", "39–42", "17.50", 46),
                _variant("TEX-SOX-43", "43–46", "17.50", 31),
            ),
            picture_alt="A pair of green wool socks with cream stripes and rust heels and toes",
        ),
        DemoProduct(
            slug="cotton-apron",
            name="Workshop apron",
            summary="Sturdy cotton with deep pockets, for dough, clay or bicycle chains.",
            description=(
                "Washed 340 g cotton twill, 70 × 85 cm, with long ties that cross at the back and knot in front, and "
                "one divided pocket. Wash at 40 degrees. The spoon and the cloth are not included."
            ),
            option="",
            variants=(_variant("TEX-APR", "", "38.00", 24),),
            picture_alt="A blue cotton apron on a hook, a wooden spoon and a striped cloth in its pocket",
        ),
    ),
)

CARE = DemoCategory(
    slug="care",
    name="Care",
    description="Soap, balm and brushes: what keeps hands, plates and floors in good order.",
    products=(
        DemoProduct(
            slug="olive-oil-soap",
            name="Olive oil soap",
            summary="A big, mild block, cut by hand and matured for six months.",
            description=(
                "A 200 g block of olive oil, water and soda, with nothing added but the scent you choose. Let it dry "
                "between uses and it lasts about two months. The wooden dish is not included."
            ),
            option="Scent",
            variants=(
                _variant("CAR-SOP-NON", "Unscented", "6.80", 60),
                _variant("CAR-SOP-LAV", "Lavender", "7.20", 43),
                _variant("CAR-SOP-BAY", "Bay leaf", "7.20", 39),
            ),
            picture_alt="A block of green olive oil soap on a wooden dish, with a few bubbles",
        ),
        DemoProduct(
            slug="rosemary-hand-wash",
            name="Rosemary hand wash",
            summary="Cleans garden hands gently, and smells of the bush by the back door.",
            description=(
                "Plant-based and free of dyes, with oil of rosemary. The bottle is brown glass with a pump; the refill "
                "comes in a can without one. Rinse the pump in warm water if it slows."
            ),
            option="Size",
            variants=(
                _variant("CAR-WSH-300", "300 ml bottle", "13.50", 40),
                _variant("CAR-WSH-1000", "1 litre refill", "26.00", 25),
            ),
            picture_alt="A brown glass pump bottle of hand wash beside two sprigs of rosemary",
        ),
        DemoProduct(
            slug="hand-balm",
            name="Marigold hand balm",
            summary="A rich balm for cracked knuckles, in a tin that closes tight.",
            description=(
                "Sunflower oil, beeswax and marigold petals, and nothing else. 75 ml in a steel tin with a screw lid. "
                "Warm a little between the fingers; best within a year of opening."
            ),
            option="",
            variants=(_variant("CAR-BLM", "", "15.90", 47),),
            picture_alt="An open tin of cream balm with its teal lid, which shows a yellow flower",
        ),
        DemoProduct(
            slug="beech-dish-brush",
            name="Beech dish brush",
            summary="Stiff plant bristles for pans, on a handle that keeps hands dry.",
            description=(
                "Oiled beech with tampico bristles, 24 cm long, with a cord to hang it by. Shake it out and let it dry "
                "with the bristles down. When it is worn, the wood and bristles go on the compost."
            ),
            option="",
            variants=(_variant("CAR-DSH", "", "9.50", 55),),
            picture_alt="A wooden dish brush standing on its pale bristles among soap bubbles",
        ),
        DemoProduct(
            slug="dustpan-and-brush",
            name="Dustpan and brush",
            summary="A steel pan with a straight lip, and a brush that catches fine dust.",
            description=(
                "Powder-coated steel pan, 23 cm wide, and a beech brush set with soft horsehair. Both hang up by the "
                "handle. Comb the bristles out now and then; do not soak the wood."
            ),
            option="",
            variants=(_variant("CAR-PAN", "", "29.50", 26),),
            picture_alt="A rust-coloured steel dustpan and a wooden hand brush lying side by side",
        ),
    ),
)

CATEGORIES: tuple[DemoCategory, ...] = (KITCHEN, DESK, LIGHTING, BAGS, OUTDOORS, GARDEN, TEXTILES, CARE)
