// One format's code to the operand that the array multiplies. Combinational.
//
//   code_i      the code, right aligned: sign bit, EXPONENT_BITS, FRACTION_BITS
//               (or a two's complement integer); higher bits are ignored
//   operand_o   {nan, inf, sign, exponent[EXP_W], significand[SIG_W]}
//               exponent is signed, EXP_BASE less than the unbiased one;
//               significand has SIG_W-1 fraction bits; zero, inf and nan have
//               exponent and significand 0
//
// Every value is exact. Zero and inf keep their sign; nan has none.
//
//   NORMALISE   1: the significand's top bit is set unless the value is zero, so
//               that nothing in the array needs to know subnormals; or, where the
//               exponent would be below EXP_FLOOR, it is EXP_FLOOR (-1024: nowhere)
//               0: the exponent is that of the code's field; subnormals have the
//               format's smallest and no top bit (numerics.md, rule 4.3)
//   NAN_KIND    0  no nan
//               1  top exponent field with a fraction other than 0
//                  (IEEE 754-2019 section 3.4; OCP FP8 E5M2)
//               2  all magnitude bits 1 (OCP FP8 E4M3)
//               3  the code of negative zero (the fnuz formats, IEEE P3109)
//   INF_KIND    0  no inf
//               1  top exponent field with fraction 0 (IEEE 754-2019 section 3.4)
//               2  all magnitude bits 1 (P3109 extended formats)
//   ENCODING    0  sign and magnitude, floating point
//               1  two's complement of 1 + FRACTION_BITS bits,
//                  value = integer * 2^-BIAS, EXPONENT_BITS = 0
//
// A top exponent field that is not taken by one of these is an ordinary binade.
`default_nettype none

module quaver_decode #(
    parameter integer EXPONENT_BITS = 4,
    parameter integer FRACTION_BITS = 3,
    parameter integer BIAS          = 7,
    parameter integer NAN_KIND      = 2,
    parameter integer INF_KIND      = 0,
    parameter integer ENCODING      = 0,
    parameter integer EXP_W         = 5,
    parameter integer SIG_W         = 4,
    parameter integer NORMALISE     = 1,
    parameter integer EXP_FLOOR     = -1024,
    parameter integer EXP_BASE      = 0
) (
    input  wire [7:0]               code_i,
    output wire [2+EXP_W+SIG_W:0]   operand_o
);
    localparam integer MAGNITUDE_BITS = EXPONENT_BITS + FRACTION_BITS;

    localparam [6:0] MAGNITUDE_MASK = 7'h7F >> (7 - MAGNITUDE_BITS);
    localparam [6:0] FRACTION_MASK  = ~(7'h7F << FRACTION_BITS);
    localparam [6:0] TOP_FIELD      = MAGNITUDE_MASK & ~FRACTION_MASK;

    // The extreme exponents of the format's finite values, to check EXP_W.
    localparam integer CODES_ABOVE_MAX =
        (NAN_KIND == 1 && INF_KIND == 1) ? (1 << FRACTION_BITS) :
        (NAN_KIND == 1)                  ? (1 << FRACTION_BITS) - 1 :
        (NAN_KIND == 2 || INF_KIND == 2) ? 1 : 0;
    localparam integer MAX_MAGNITUDE = (1 << MAGNITUDE_BITS) - 1 - CODES_ABOVE_MAX;
    localparam integer MAX_EXPONENT  =
        (ENCODING == 1) ? FRACTION_BITS - BIAS : (MAX_MAGNITUDE >> FRACTION_BITS) - BIAS;
    localparam integer TOP_MIN       =
        (ENCODING == 1) ? -BIAS : (FRACTION_BITS == 0 ? 1 : 1 - FRACTION_BITS) - BIAS;
    localparam integer FIELD_MIN     = (ENCODING == 1) ? FRACTION_BITS - BIAS : 1 - BIAS;
    localparam integer MIN_EXPONENT  =
        (NORMALISE == 0)      ? FIELD_MIN :
        (TOP_MIN < EXP_FLOOR) ? EXP_FLOOR : TOP_MIN;
    localparam integer PLACES_BELOW  =
        (TOP_MIN < EXP_FLOOR) ? EXP_FLOOR - (FIELD_MIN - FRACTION_BITS) + 1 : 1;
    // The most negative integer is a power of two, so FRACTION_BITS bits hold
    // every integer's normalised significand.
    localparam integer NORMAL_SIG_W  =
        (ENCODING == 1 && NORMALISE != 0) ? FRACTION_BITS : FRACTION_BITS + 1;
    localparam integer MIN_SIG_W     =
        (NORMALISE != 0 && PLACES_BELOW > NORMAL_SIG_W) ? PLACES_BELOW : NORMAL_SIG_W;

    generate
        if (MAGNITUDE_BITS < 1 || MAGNITUDE_BITS > 7 || FRACTION_BITS < 0) begin : gen_illegal_width
            quaver_illegal_parameter code_must_have_2_to_8_bits ();
        end
        if ((ENCODING == 1) != (EXPONENT_BITS == 0) || ENCODING < 0 || ENCODING > 1) begin : gen_illegal_encoding
            quaver_illegal_parameter encoding_must_be_0_with_or_1_without_exponent ();
        end
        if (NAN_KIND < 0 || NAN_KIND > 3 || INF_KIND < 0 || INF_KIND > 2
            || (NAN_KIND == 2 && INF_KIND == 2) || (NAN_KIND != 1 && INF_KIND == 1)
            || (ENCODING == 1 && (NAN_KIND != 0 || INF_KIND != 0))) begin : gen_illegal_special
            quaver_illegal_parameter nan_kind_and_inf_kind_must_agree ();
        end
        if (MAX_EXPONENT - EXP_BASE >= (1 << (EXP_W - 1))
            || MIN_EXPONENT - EXP_BASE < -(1 << (EXP_W - 1))) begin : gen_illegal_exp_w
            quaver_illegal_parameter exp_w_must_hold_every_exponent ();
        end
        if (SIG_W < MIN_SIG_W || SIG_W < 1) begin : gen_illegal_sig_w
            quaver_illegal_parameter sig_w_must_hold_every_significand ();
        end
    endgenerate

    wire       sign_bit  = code_i[MAGNITUDE_BITS];
    wire [6:0] magnitude = code_i[6:0] & MAGNITUDE_MASK;
    wire [6:0] fraction  = magnitude & FRACTION_MASK;

    // The value is raw * 2^scale.
    wire        [7:0]  raw;
    wire signed [11:0] scale;
    wire               nan;
    wire               inf;

    generate
        if (ENCODING == 0) begin : gen_float
            localparam integer         SCALE_OFFSET_INT = -BIAS - FRACTION_BITS;
            localparam signed [11:0]   SCALE_OFFSET     = SCALE_OFFSET_INT[11:0];
            localparam [7:0]           HIDDEN_BIT       = 8'd1 << FRACTION_BITS;

            wire [6:0] exponent_field = magnitude >> FRACTION_BITS;
            wire       subnormal      = exponent_field == 7'd0;
            wire       top_field      = (magnitude & TOP_FIELD) == TOP_FIELD;

            // Field 0 has the scale of field 1, without the hidden bit.
            assign raw   = {1'b0, fraction} | (subnormal ? 8'd0 : HIDDEN_BIT);
            assign scale = $signed({5'd0, exponent_field | {6'd0, subnormal}}) + SCALE_OFFSET;

            assign nan = (NAN_KIND == 1) ? top_field && fraction != 7'd0 :
                         (NAN_KIND == 2) ? magnitude == MAGNITUDE_MASK :
                         (NAN_KIND == 3) ? sign_bit && magnitude == 7'd0 : 1'b0;
            assign inf = (INF_KIND == 1) ? top_field && fraction == 7'd0 :
                         (INF_KIND == 2) ? magnitude == MAGNITUDE_MASK : 1'b0;
        end else begin : gen_integer
            localparam integer       SCALE_OFFSET_INT = -BIAS;
            localparam signed [11:0] SCALE_OFFSET     = SCALE_OFFSET_INT[11:0];
            localparam [7:0]         SIGN_WEIGHT      = 8'd1 << FRACTION_BITS;

            assign raw   = sign_bit ? SIGN_WEIGHT - {1'b0, fraction} : {1'b0, fraction};
            assign scale = SCALE_OFFSET;
            assign nan   = 1'b0;
            assign inf   = 1'b0;
        end
    endgenerate

    // The highest bit that is set.
    reg     [2:0] top;
    integer       bit_index;
    always @* begin
        top = 3'd0;
        for (bit_index = 0; bit_index < 8; bit_index = bit_index + 1) begin
            if (raw[bit_index]) top = bit_index[2:0];
        end
    end

    // The bit of raw that comes to the top of the significand.
    wire [7:0] place;
    generate
        if (NORMALISE == 0) begin : gen_field
            assign place = FRACTION_BITS[7:0];

            wire unused = &{1'b0, top};
        end else if (TOP_MIN < EXP_FLOOR) begin : gen_floor
            wire signed [11:0] floor = EXP_FLOOR[11:0] - scale;
            assign place = (floor > $signed({9'd0, top})) ? floor[7:0] : {5'd0, top};

            wire unused = &{1'b0, floor};
        end else begin : gen_top
            assign place = {5'd0, top};
        end
    endgenerate

    wire signed [11:0]      exponent = scale + $signed({4'd0, place}) - EXP_BASE[11:0];
    wire        [SIG_W+7:0] aligned  = {raw, {SIG_W{1'b0}}} >> place;
    wire                    special  = nan || inf;
    wire                    zero     = raw == 8'd0;

    assign operand_o = {
        nan,
        inf,
        sign_bit && !nan,
        (special || zero) ? {EXP_W{1'b0}} : exponent[EXP_W-1:0],
        special           ? {SIG_W{1'b0}} : aligned[SIG_W:1]
    };

    // Bits that this format has no use for.
    wire unused = &{1'b0, code_i, fraction, exponent, aligned};
endmodule

`default_nettype wire
