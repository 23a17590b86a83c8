// All operand formats of a configuration, chosen at run time. Combinational:
// one quaver_decode a format, and a multiplexer.
//
//   format_i    row of FORMAT_TABLE that code_i is in, below FORMAT_COUNT
//   code_i      the code, right aligned
//   operand_o   see quaver_decode
//
// FORMAT_TABLE holds FORMAT_COUNT rows of 40 bits, row 0 in the low bits:
//
//   [7:0] id          [11:8]  exponent bits   [16:12] fraction bits
//   [26:17] bias (two's complement)           [29:27] nan kind
//   [31:30] inf kind  [33:32] encoding        [39:34] zero
//
// Kinds and encodings are those of quaver_decode. The default row is e4m3fn.
`default_nettype none

module quaver_decode_select #(
    parameter integer                    FORMAT_COUNT = 1,
    parameter [40*FORMAT_COUNT-1:0]      FORMAT_TABLE = 40'h00_100E_3400,
    parameter integer                    EXP_W        = 5,
    parameter integer                    SIG_W        = 4,
    parameter integer                    NORMALISE    = 1,
    parameter integer                    EXP_FLOOR    = -1024,
    parameter integer                    EXP_BASE     = 0,
    parameter integer                    INDEX_W      = (FORMAT_COUNT > 1) ? $clog2(FORMAT_COUNT) : 1
) (
    input  wire [INDEX_W-1:0]       format_i,
    input  wire [7:0]               code_i,
    output wire [2+EXP_W+SIG_W:0]   operand_o
);
    localparam integer OPERAND_W = 3 + EXP_W + SIG_W;

    generate
        if (FORMAT_COUNT < 1) begin : gen_illegal_count
            quaver_illegal_parameter format_count_must_be_1_or_more ();
        end
    endgenerate

    wire [OPERAND_W*FORMAT_COUNT-1:0] operands;

    genvar row;
    generate
        for (row = 0; row < FORMAT_COUNT; row = row + 1) begin : gen_format
            localparam integer ROW_BIAS = {{23{FORMAT_TABLE[40*row+26]}}, FORMAT_TABLE[40*row+17 +: 9]};

            quaver_decode #(
                .EXPONENT_BITS ({28'd0, FORMAT_TABLE[40*row+8  +: 4]}),
                .FRACTION_BITS ({27'd0, FORMAT_TABLE[40*row+12 +: 5]}),
                .BIAS          (ROW_BIAS),
                .NAN_KIND      ({29'd0, FORMAT_TABLE[40*row+27 +: 3]}),
                .INF_KIND      ({30'd0, FORMAT_TABLE[40*row+30 +: 2]}),
                .ENCODING      ({30'd0, FORMAT_TABLE[40*row+32 +: 2]}),
                .EXP_W         (EXP_W),
                .SIG_W         (SIG_W),
                .NORMALISE     (NORMALISE),
                .EXP_FLOOR     (EXP_FLOOR),
                .EXP_BASE      (EXP_BASE)
            ) u_decode (
                .code_i    (code_i),
                .operand_o (operands[OPERAND_W*row +: OPERAND_W])
            );
        end
    endgenerate

    quaver_select #(
        .COUNT   (FORMAT_COUNT),
        .WIDTH   (OPERAND_W),
        .INDEX_W (INDEX_W)
    ) u_select (
        .index_i (format_i),
        .words_i (operands),
        .word_o  (operand_o)
    );
endmodule

`default_nettype wire
