// What quaver_convert has to know of one output format: constants of its row.
//
//   fraction_bits_o   F
//   min_field_o       the FP32 exponent field (bias 127) of the smallest exponent
//                     at which F fraction bits are kept. Below, the last place
//                     stays where it is. For a two's complement integer that is
//                     the exponent of its sign's weight.
//   max_o             magnitude code of the largest finite number
//   inf_o             magnitude code of infinity; of a format without, max_o
//   nan_o             code of the canonical NaN; of a float without, its largest
//                     finite number; of an integer, 0
//   sign_o            the sign bit's place
//   integer_o         two's complement
//   no_minus_zero_o   the format has no -0
//
// Parameters are those of quaver_decode. A format whose last place is below that
// of FP32's subnormals is refused: every value that FP32 has is then aligned by a
// right shift without being normalised.
`default_nettype none

module quaver_convert_row #(
    parameter integer EXPONENT_BITS = 8,
    parameter integer FRACTION_BITS = 23,
    parameter integer BIAS          = 127,
    parameter integer NAN_KIND      = 1,
    parameter integer INF_KIND      = 1,
    parameter integer ENCODING      = 0
) (
    output wire [4:0]    fraction_bits_o,
    output wire [9:0]    min_field_o,
    output wire [30:0]   max_o,
    output wire [30:0]   inf_o,
    output wire [31:0]   nan_o,
    output wire [31:0]   sign_o,
    output wire          integer_o,
    output wire          no_minus_zero_o
);
    localparam integer MAGNITUDE_BITS = EXPONENT_BITS + FRACTION_BITS;
    localparam integer MIN_FIELD      =
        127 - BIAS + ((ENCODING == 1) ? FRACTION_BITS : 1);

    generate
        if (MAGNITUDE_BITS < 1 || MAGNITUDE_BITS > 31 || FRACTION_BITS < 0 || FRACTION_BITS > 23) begin : gen_illegal_width
            quaver_illegal_parameter fraction_bits_must_be_0_to_23_and_code_2_to_32_bits ();
        end
        if ((ENCODING == 1) != (EXPONENT_BITS == 0) || ENCODING < 0 || ENCODING > 1) begin : gen_illegal_encoding
            quaver_illegal_parameter encoding_must_be_0_with_or_1_without_exponent ();
        end
        if (NAN_KIND < 0 || NAN_KIND > 3 || INF_KIND < 0 || INF_KIND > 2
            || (NAN_KIND == 2 && INF_KIND == 2) || (NAN_KIND != 1 && INF_KIND == 1)
            || (NAN_KIND == 1 && FRACTION_BITS == 0)
            || (ENCODING == 1 && (NAN_KIND != 0 || INF_KIND != 0))) begin : gen_illegal_special
            quaver_illegal_parameter nan_kind_and_inf_kind_must_agree ();
        end
        if (MIN_FIELD < 1 || MIN_FIELD > 1023) begin : gen_illegal_bias
            quaver_illegal_parameter bias_must_keep_the_last_place_within_fp32 ();
        end
    endgenerate

    localparam [31:0] SIGN       = 32'd1 << MAGNITUDE_BITS;
    localparam [31:0] ALL_ONES   = SIGN - 32'd1;
    localparam [31:0] HIDDEN     = 32'd1 << FRACTION_BITS;
    localparam [31:0] TOP_FIELD  = SIGN - HIDDEN;

    localparam [31:0] MAX =
        (NAN_KIND == 1 && INF_KIND == 1) ? TOP_FIELD - 32'd1 :
        (NAN_KIND == 1)                  ? TOP_FIELD :
        (NAN_KIND == 2 || INF_KIND == 2) ? ALL_ONES - 32'd1 : ALL_ONES;
    localparam [31:0] INF =
        (INF_KIND == 1) ? TOP_FIELD :
        (INF_KIND == 2) ? ALL_ONES : MAX;
    localparam [31:0] NAN =
        (ENCODING == 1) ? 32'd0 :
        (NAN_KIND == 1) ? TOP_FIELD | (HIDDEN >> 1) :
        (NAN_KIND == 2) ? ALL_ONES :
        (NAN_KIND == 3) ? SIGN : MAX;

    assign fraction_bits_o = FRACTION_BITS[4:0];
    assign min_field_o     = MIN_FIELD[9:0];
    assign max_o           = MAX[30:0];
    assign inf_o           = INF[30:0];
    assign nan_o           = NAN;
    assign sign_o          = SIGN;
    assign integer_o       = ENCODING == 1;
    assign no_minus_zero_o = ENCODING == 1 || NAN_KIND == 3;
endmodule

`default_nettype wire
