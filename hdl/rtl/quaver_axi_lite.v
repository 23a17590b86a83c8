// AXI4-Lite to a register bus.
//
//   s_axil_*      AXI4-Lite, 12 address bits, of which [1:0] are ignored
//                 (Arm IHI 0022, part B); protection is ignored
//   reg_write_o   reg_wdata_o is written to reg_addr_o, bytes by reg_wstrb_o
//   reg_read_o    reg_rdata_i is read from reg_addr_o
//   reg_error_i   combinational: the access is refused; the response is SLVERR
//
// One write and one read can wait in registers at a time. The write address and
// the write data come in any order. A write takes place in the clock after both
// are there, and its response is there one clock later; a read likewise. When a
// write and a read could take place in the same clock the write goes first.
// Two writes are never in adjoining clocks.
`default_nettype none

module quaver_axi_lite (
    input  wire          clk_i,
    input  wire          rst_ni,

    input  wire [11:0]   s_axil_awaddr,
    input  wire [2:0]    s_axil_awprot,
    input  wire          s_axil_awvalid,
    output wire          s_axil_awready,
    input  wire [31:0]   s_axil_wdata,
    input  wire [3:0]    s_axil_wstrb,
    input  wire          s_axil_wvalid,
    output wire          s_axil_wready,
    output wire [1:0]    s_axil_bresp,
    output wire          s_axil_bvalid,
    input  wire          s_axil_bready,
    input  wire [11:0]   s_axil_araddr,
    input  wire [2:0]    s_axil_arprot,
    input  wire          s_axil_arvalid,
    output wire          s_axil_arready,
    output wire [31:0]   s_axil_rdata,
    output wire [1:0]    s_axil_rresp,
    output wire          s_axil_rvalid,
    input  wire          s_axil_rready,

    output wire          reg_write_o,
    output wire          reg_read_o,
    output wire [11:0]   reg_addr_o,
    output wire [31:0]   reg_wdata_o,
    output wire [3:0]    reg_wstrb_o,
    input  wire [31:0]   reg_rdata_i,
    input  wire          reg_error_i
);
    localparam [1:0] OKAY   = 2'b00;
    localparam [1:0] SLVERR = 2'b10;

    // Accepted and waiting.
    reg        aw_valid_q, w_valid_q, ar_valid_q;
    reg [9:0]  aw_word_q, ar_word_q;
    reg [31:0] w_data_q;
    reg [3:0]  w_strb_q;

    // Responses.
    reg        b_valid_q, r_valid_q;
    reg [1:0]  b_resp_q, r_resp_q;
    reg [31:0] r_data_q;

    wire write = aw_valid_q && w_valid_q && (!b_valid_q || s_axil_bready);
    wire read  = ar_valid_q && !write && (!r_valid_q || s_axil_rready);

    always @(posedge clk_i) begin
        if (!rst_ni) begin
            aw_valid_q <= 1'b0;
            w_valid_q  <= 1'b0;
            ar_valid_q <= 1'b0;
            aw_word_q  <= 10'd0;
            ar_word_q  <= 10'd0;
            w_data_q   <= 32'd0;
            w_strb_q   <= 4'd0;
            b_valid_q  <= 1'b0;
            r_valid_q  <= 1'b0;
            b_resp_q   <= OKAY;
            r_resp_q   <= OKAY;
            r_data_q   <= 32'd0;
        end else begin
            if (write) begin
                aw_valid_q <= 1'b0;
                w_valid_q  <= 1'b0;
            end
            if (s_axil_awvalid && s_axil_awready) begin
                aw_valid_q <= 1'b1;
                aw_word_q  <= s_axil_awaddr[11:2];
            end
            if (s_axil_wvalid && s_axil_wready) begin
                w_valid_q <= 1'b1;
                w_data_q  <= s_axil_wdata;
                w_strb_q  <= s_axil_wstrb;
            end

            if (read) ar_valid_q <= 1'b0;
            if (s_axil_arvalid && s_axil_arready) begin
                ar_valid_q <= 1'b1;
                ar_word_q  <= s_axil_araddr[11:2];
            end

            if (write) begin
                b_valid_q <= 1'b1;
                b_resp_q  <= reg_error_i ? SLVERR : OKAY;
            end else if (s_axil_bready) begin
                b_valid_q <= 1'b0;
            end

            if (read) begin
                r_valid_q <= 1'b1;
                r_resp_q  <= reg_error_i ? SLVERR : OKAY;
                r_data_q  <= reg_rdata_i;
            end else if (s_axil_rready) begin
                r_valid_q <= 1'b0;
            end
        end
    end

    assign s_axil_awready = !aw_valid_q;
    assign s_axil_wready  = !w_valid_q;
    assign s_axil_bvalid  = b_valid_q;
    assign s_axil_bresp   = b_resp_q;
    assign s_axil_arready = !ar_valid_q;
    assign s_axil_rvalid  = r_valid_q;
    assign s_axil_rresp   = r_resp_q;
    assign s_axil_rdata   = r_data_q;

    assign reg_write_o = write;
    assign reg_read_o  = read;
    assign reg_addr_o  = {write ? aw_word_q : ar_word_q, 2'b00};
    assign reg_wdata_o = w_data_q;
    assign reg_wstrb_o = w_strb_q;

    wire unused = &{1'b0, s_axil_awprot, s_axil_arprot, s_axil_awaddr[1:0], s_axil_araddr[1:0]};
endmodule

`default_nettype wire
