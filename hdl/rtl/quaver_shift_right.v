// Right shift that remembers whether it lost anything. Combinational.
//
//   value_i, value_o   value_o = value_i >> amount_i; unsigned, or with SIGNED
//                      two's complement, whose sign comes in from the left: floor
//   amount_i           0 to 2^AMOUNT_W - 1
//   far_i              shift by WIDTH or more, whatever amount_i is: value_o is
//                      nothing but what comes in from the left
//   nonzero_i          value_i is not 0 (known to the caller, who needs no OR of
//                      all its bits)
//   sticky_o           a bit that was set has been shifted out
`default_nettype none

module quaver_shift_right #(
    parameter integer WIDTH    = 26,
    parameter integer AMOUNT_W = 5,
    parameter integer SIGNED   = 0
) (
    input  wire [WIDTH-1:0]      value_i,
    input  wire [AMOUNT_W-1:0]   amount_i,
    input  wire                  far_i,
    input  wire                  nonzero_i,
    output wire [WIDTH-1:0]      value_o,
    output wire                  sticky_o
);
    wire                fill = SIGNED != 0 && value_i[WIDTH-1];
    reg     [WIDTH-1:0] value;
    reg                 lost;
    integer             k;

    // The largest step comes first: it leaves the fewest bits for those after it.
    always @* begin
        value = far_i ? {WIDTH{fill}} : value_i;
        lost  = far_i && nonzero_i;
        for (k = AMOUNT_W - 1; k >= 0; k = k - 1) begin
            if (amount_i[k]) begin
                lost  = lost || (|(value & ~({WIDTH{1'b1}} << (1 << k))));
                value = (value >> (1 << k)) | ({WIDTH{fill}} & ~({WIDTH{1'b1}} >> (1 << k)));
            end
        end
    end

    assign value_o  = value;
    assign sticky_o = lost;
endmodule

`default_nettype wire
