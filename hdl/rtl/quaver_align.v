// Moves a term to the place of the largest one, truncates and negates it.
// Combinational.
//
//   value_i      magnitude: 2 integer bits and VALUE_FRACTION fraction bits
//   negative_i   its sign
//   distance_i   places to the right
//   term_o       2 integer bits and FRACTION_BITS fraction bits of the moved
//                magnitude (what lies below is dropped) behind a sign bit of 0;
//                inverted if negative_i. The 1 that completes the two's complement
//                is for the adder that takes term_o.
//
// (numerics.md, rule 4.3, step 3)
`default_nettype none

module quaver_align #(
    parameter integer VALUE_FRACTION = 6,
    parameter integer FRACTION_BITS  = 13,
    parameter integer DISTANCE_W     = 6
) (
    input  wire [VALUE_FRACTION+1:0]   value_i,
    input  wire                        negative_i,
    input  wire [DISTANCE_W-1:0]       distance_i,
    output wire [FRACTION_BITS+2:0]    term_o
);
    // Fraction bits of the window in which the value moves.
    localparam integer FRACTION = (FRACTION_BITS > VALUE_FRACTION) ? FRACTION_BITS : VALUE_FRACTION;
    localparam integer WINDOW_W = FRACTION + 2;
    localparam integer SHIFT_W  = $clog2(FRACTION_BITS + 2);
    localparam integer STEPS    = (SHIFT_W < DISTANCE_W) ? SHIFT_W : DISTANCE_W;

    wire [WINDOW_W:0] value = {1'b0, value_i, {(FRACTION - VALUE_FRACTION){1'b0}}};
    wire              far;

    generate
        if (DISTANCE_W > SHIFT_W) begin : gen_far
            assign far = |distance_i[DISTANCE_W-1:SHIFT_W];
        end else begin : gen_near
            assign far = 1'b0;
        end
    endgenerate

    // The smallest step comes first: the value is narrower than the window, and
    // so is most of what the first steps give.
    reg     [WINDOW_W:0] moved;
    integer              k;
    always @* begin
        moved = far ? {WINDOW_W+1{1'b0}} : value;
        for (k = 0; k < STEPS; k = k + 1) begin
            if (distance_i[k]) moved = moved >> (1 << k);
        end
    end

    assign term_o = moved[WINDOW_W -: FRACTION_BITS+3] ^ {FRACTION_BITS+3{negative_i}};

    wire unused = &{1'b0, moved};
endmodule

`default_nettype wire
